package dev.retrograd.trainer.cli.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StderrFilterTest {

    private static final String WARNING = "WARNING: Using incubator modules: jdk.incubator.vector" + System.lineSeparator();

    /// Filters a text that arrives in pieces of `piece` bytes.
    private static String filter(String text, int piece) throws IOException {
        InputStream in = new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)) {
            @Override
            public synchronized int read(byte[] buffer, int offset, int length) {
                return super.read(buffer, offset, Math.min(length, piece));
            }
        };
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new StderrFilter().copy(in, out);
        return out.toString(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 54, 55, 8192})
    void onlyTheIncubatorLineIsLeftOut(int piece) throws IOException {
        assertEquals("Picked up options\nretrograd: größer\n", filter("Picked up options\n" + WARNING + "retrograd: größer\n", piece));
        assertEquals("", filter(WARNING, piece));
        assertEquals("\n\n", filter("\n" + WARNING + "\n", piece));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 8192})
    void everythingElsePassesUnchanged(int piece) throws IOException {
        for (String text : new String[] {
            "", "WARNING", "WARNING: Using incubator modules: jdk.incubator.vector, other\n", "x" + WARNING, "WARN\nWARNING: old\n"}) {
            assertEquals(text, filter(text, piece));
        }
    }

    @Test
    void theLineIsLeftOutOnce() throws IOException {
        assertEquals(WARNING, filter(WARNING + WARNING, 8192));
    }
}
