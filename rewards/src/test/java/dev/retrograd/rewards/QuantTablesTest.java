package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QuantTablesTest {
    private static final PixelBatch ONE = TestImages.batch(3, 1, 16, 16);

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 10, 24, 25, 50, 60, 75, 90, 95, 99, 100})
    void areTheTablesThatTheEncoderWritesIntoTheFile(int quality) {
        byte[] file = JpegFileSize.encode(ONE, 0, new JpegSettings(quality, JpegSettings.Chroma.HALF));
        QuantTables tables = QuantTables.of(quality);
        assertArrayEquals(zigzag(tables.luma()), table(file, 0), "luma");
        assertArrayEquals(zigzag(tables.chroma()), table(file, 1), "chroma");
    }

    @Test
    void scaleAsLibjpegDoes() {
        int[] halved = QuantTables.of(75).luma();
        assertArrayEquals(new int[] {8, 6, 5, 8, 12, 20, 26, 31}, Arrays.copyOf(halved, 8));
        // libjpeg's percentage is a whole number, 208 at quality 24: (18·208 + 50) / 100 rounded down.
        assertEquals(37, QuantTables.of(24).luma()[4 * 8]);
        assertEquals(255, QuantTables.of(1).chroma()[63]);
        assertEquals(1, Arrays.stream(QuantTables.of(100).luma()).max().orElseThrow());
    }

    private static int[] zigzag(int[] rows) {
        return Arrays.stream(QuantTables.ZIGZAG).map(i -> rows[i]).toArray();
    }

    /// The 64 entries of an 8-bit quantisation table (ITU-T T.81, B.2.4.1), in zig-zag order.
    private static int[] table(byte[] file, int id) {
        int at = 2;
        while ((file[at + 1] & 0xFF) != 0xDA) {
            int length = (file[at + 2] & 0xFF) << 8 | file[at + 3] & 0xFF;
            if ((file[at + 1] & 0xFF) == 0xDB) {
                assertEquals(0, (length - 2) % 65, "tables of 8 bits");
                for (int t = at + 4; t < at + 2 + length; t += 65) {
                    if (file[t] == id) {
                        byte[] entries = Arrays.copyOfRange(file, t + 1, t + 65);
                        int[] steps = new int[64];
                        Arrays.setAll(steps, i -> entries[i] & 0xFF);
                        return steps;
                    }
                }
            }
            at += 2 + length;
        }
        throw new AssertionError("file has no quantisation table " + id);
    }
}
