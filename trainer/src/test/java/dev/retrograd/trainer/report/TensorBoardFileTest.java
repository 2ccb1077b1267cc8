package dev.retrograd.trainer.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardFileTest {
    @TempDir private Path folder;

    /// Field number to value: Long for varints, Integer and Long bits for fixed ones, byte[] for the rest.
    private static Map<Integer, Object> fields(byte[] message) throws IOException {
        Map<Integer, Object> all = new TreeMap<>();
        CodedInputStream in = CodedInputStream.newInstance(message);
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            all.put(WireFormat.getTagFieldNumber(tag), switch (WireFormat.getTagWireType(tag)) {
                case WireFormat.WIRETYPE_VARINT -> in.readInt64();
                case WireFormat.WIRETYPE_FIXED64 -> in.readRawLittleEndian64();
                case WireFormat.WIRETYPE_FIXED32 -> in.readRawLittleEndian32();
                default -> in.readByteArray();
            });
        }
        return all;
    }

    /// CRC-32C as a record has it, undone: rotated left by 15 after subtracting the constant.
    private static void requireCrc(int masked, byte[] of) {
        CRC32C crc = new CRC32C();
        crc.update(of);
        assertEquals((int) crc.getValue(), Integer.rotateLeft(masked - 0xa282ead8, 15));
    }

    private List<Map<Integer, Object>> events() throws IOException {
        List<Map<Integer, Object>> all = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.sorted().toList()) {
                assertTrue(file.getFileName().toString().startsWith("events.out.tfevents."), file.toString());
                ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
                while (in.hasRemaining()) {
                    byte[] length = new byte[8];
                    in.get(length);
                    requireCrc(in.getInt(), length);
                    byte[] event = new byte[(int) ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong()];
                    in.get(event);
                    requireCrc(in.getInt(), event);
                    all.add(fields(event));
                }
            }
        }
        return all;
    }

    @Test void holdsScalarsAndImagesByTagAndStep() throws IOException {
        byte[] png = {1, 2, 3};
        try (TensorBoardFile file = TensorBoardFile.open(folder, 0)) {
            file.scalar("reward/mean", 7, -1.25);
            file.image("samples", 300, 64, 32, png);
        }
        List<Map<Integer, Object>> events = events();
        assertEquals(4, events.size());
        assertEquals("brain.Event:2", new String((byte[]) events.get(0).get(3)));
        assertEquals(7L, events.get(2).get(2));
        Map<Integer, Object> scalar = fields((byte[]) fields((byte[]) events.get(2).get(5)).get(1));
        assertEquals("reward/mean", new String((byte[]) scalar.get(1)));
        assertEquals(-1.25f, Float.intBitsToFloat((int) scalar.get(2)));
        assertEquals(300L, events.get(3).get(2));
        Map<Integer, Object> image = fields((byte[]) fields((byte[]) fields((byte[]) events.get(3).get(5)).get(1)).get(4));
        assertEquals(32L, image.get(1));
        assertEquals(64L, image.get(2));
        assertArrayEquals(png, (byte[]) image.get(4));
    }

    @Test void aFileThatGoesOnMakesTensorBoardForgetLaterStepsOfAnEarlierOne() throws IOException {
        try (TensorBoardFile first = TensorBoardFile.open(folder, 0); TensorBoardFile second = TensorBoardFile.open(folder, 5)) {
            first.scalar("loss", 9, 1);
            second.scalar("loss", 6, 2);
        }
        List<Map<Integer, Object>> events = events();
        assertEquals(6, events.size(), "two files, each with its version and start");
        Map<Integer, Object> restart = events.get(4);
        assertEquals(6L, restart.get(2), "the first step that is to be forgotten");
        assertEquals(1L, fields((byte[]) restart.get(7)).get(1), "SessionLog.START");
    }
}
