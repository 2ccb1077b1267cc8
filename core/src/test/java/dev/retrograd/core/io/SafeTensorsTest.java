package dev.retrograd.core.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsTest {
    @TempDir Path folder;

    /// A file of this header (its length first) and so many bytes of data.
    static byte[] file(String header, int dataBytes) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json).array();
    }

    @Test void opensTheGoldenReference() throws IOException {
        try (SafeTensors t = SafeTensors.open(Golden.path("ci-sd/reference.safetensors"))) {
            assertTrue(t.names().size() > 50, "tensors: " + t.names().size());
            assertEquals(new Spec(Shape.of(10), DType.I32), t.spec("ddim.10.prev_timesteps"));
            long[] steps = t.longs("ddim.10.prev_timesteps");
            assertEquals(801, steps[0]);
            for (String name : t.names()) {
                float[] values = t.floats(name);
                assertEquals(t.spec(name).shape().elements(), values.length, name);
                for (float v : values) {
                    assertTrue(Float.isFinite(v), name);
                }
            }
        }
    }

    @Test void writesAgainWhatUpstreamWrote() throws IOException {
        Path golden = Golden.path("ci-sd/model/vae/diffusion_pytorch_model.safetensors");
        Path copy = folder.resolve("copy.safetensors");
        try (SafeTensors t = SafeTensors.open(golden)) {
            SafeTensorsWriter writer = new SafeTensorsWriter();
            t.metadata().forEach(writer::metadata);
            List<String> names = new ArrayList<>(t.names());
            java.util.Collections.reverse(names);
            for (String name : names) {
                MemorySegment bytes = t.bytes(name);
                writer.add(name, t.spec(name), () -> bytes);
            }
            writer.write(copy);
        }
        assertEquals(-1, Files.mismatch(golden, copy), "first byte that differs");
    }

    @Test void everyElementTypeSurvivesARoundTripThroughABackend() throws IOException {
        Path path = folder.resolve("all.safetensors");
        try (ReferenceBackend b = new ReferenceBackend()) {
            SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt").metadata("ümlaut", "\"quoted\"\n");
            for (DType dtype : DType.values()) {
                Tensor t = b.empty("t", new Spec(Shape.of(2, 3), dtype));
                b.set(t, 0, 1, 2, 3, 100, 200);
                writer.add("t." + dtype, b, t);
            }
            writer.add("scalar", Shape.of(), -1.5f).add("nothing", Shape.of(0, 4)).write(path);
            try (SafeTensors in = SafeTensors.open(path)) {
                assertEquals(Map.of("format", "pt", "ümlaut", "\"quoted\"\n"), in.metadata());
                for (DType dtype : DType.values()) {
                    assertArrayEquals(new float[] {0, 1, 2, 3, 100, 200}, in.floats("t." + dtype), dtype.name());
                    assertArrayEquals(new double[] {0, 1, 2, 3, 100, 200}, b.toDoubles(in.load(b, "t." + dtype)), dtype.name());
                    Tensor converted = in.load(b, "t." + dtype, DType.F32);
                    assertEquals(Spec.f32(2, 3), converted.spec());
                    assertArrayEquals(new double[] {0, 1, 2, 3, 100, 200}, b.toDoubles(converted), dtype.name());
                }
                assertArrayEquals(new long[] {0, 1, 2, 3, 100, 200}, in.longs("t.I64"));
                assertArrayEquals(new long[] {0, 1, 2, 3, 100, 200}, in.longs("t.I32"));
                assertArrayEquals(new long[] {0, 1, 2, 3, 100, 200}, in.longs("t.U8"));
                assertArrayEquals(new float[] {-1.5f}, in.floats("scalar"));
                assertEquals(Spec.f32(), in.spec("scalar"));
                assertEquals(0, in.floats("nothing").length);
                ModelFormatException e = assertThrows(ModelFormatException.class, () -> in.longs("t.F16"));
                assertEquals(path + ": tensor 't.F16' must hold integers, got [2,3] F16", e.getMessage());
            }
        }
    }

    @Test void equalContentsGiveEqualFilesWhateverTheOrderOfAdding() throws IOException {
        float[] values = new RandomValues(3).normal(7);
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        new SafeTensorsWriter().metadata("a", "1").metadata("b", "2").add("x", Shape.of(7), values).add("y", Shape.of(1, 7), values).write(first);
        new SafeTensorsWriter().metadata("b", "2").metadata("a", "1").add("y", Shape.of(1, 7), values).add("x", Shape.of(7), values).write(second);
        assertEquals(-1, Files.mismatch(first, second));
        assertEquals(0, ByteBuffer.wrap(Files.readAllBytes(first)).order(ByteOrder.LITTLE_ENDIAN).getLong() % 8, "header length");
    }

    @Test void readsFromMemoryWithUnalignedData() throws IOException {
        byte[] content = file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 5);
        ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).putFloat(content.length - 4, 2.5f);
        try (SafeTensors t = SafeTensors.of("resource", content)) {
            assertArrayEquals(new float[] {2.5f}, t.floats("b"));
            assertEquals(Set.of("a", "b"), t.names());
            assertTrue(t.bytes("b").isReadOnly());
        }
    }

    @Test void listsTypesThatItRefusesToRead() throws IOException {
        byte[] content = file("{\"mask\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]},\"q\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[2,4]}}", 4);
        try (SafeTensors t = SafeTensors.of("m.safetensors", content)) {
            assertEquals(List.of("mask", "q"), List.copyOf(t.names()));
            assertEquals(2, t.bytes("q").byteSize());
            ModelFormatException e = assertThrows(ModelFormatException.class, () -> t.floats("mask"));
            assertEquals("m.safetensors: tensor 'mask' must be one of [F64, F32, F16, BF16, I64, I32, U8], got BOOL", e.getMessage());
            e = assertThrows(ModelFormatException.class, () -> t.spec("absent"));
            assertEquals("m.safetensors: tensor 'absent' is required, but there is none among its 2", e.getMessage());
        }
    }

    /// A sparse file: 3 GiB on paper, one block on the disk.
    @Test void readsBeyondTwoGibibytes() throws IOException {
        Path path = folder.resolve("large.safetensors");
        long hole = 3L << 30;
        byte[] header = file("{\"hole\":{\"dtype\":\"U8\",\"shape\":[3,1073741824],\"data_offsets\":[0," + hole + "]},"
                + "\"last\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" + hole + "," + (hole + 8) + "]}}", 0);
        try (RandomAccessFile f = new RandomAccessFile(path.toFile(), "rw")) {
            f.write(header);
            f.setLength(header.length + hole + 8);
            f.seek(header.length + hole);
            f.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putFloat(1.25f).putFloat(-3).array());
        }
        try (SafeTensors t = SafeTensors.open(path)) {
            assertArrayEquals(new float[] {1.25f, -3}, t.floats("last"));
            assertEquals(hole, t.bytes("hole").byteSize());
            ModelFormatException e = assertThrows(ModelFormatException.class, () -> t.floats("hole"));
            assertEquals(path + ": tensor 'hole' must fit into an array, got 3221225472 elements", e.getMessage());
        } finally {
            Files.delete(path);
        }
    }

    @Test void slicesDieWithTheFile() throws IOException {
        Path path = folder.resolve("x.safetensors");
        new SafeTensorsWriter().add("x", Shape.of(1), 1f).write(path);
        SafeTensors t = SafeTensors.open(path);
        MemorySegment bytes = t.bytes("x");
        t.close();
        t.close();
        assertFalse(bytes.scope().isAlive());
        assertThrows(IllegalStateException.class, () -> t.floats("x"));
    }

    @Test void aFailedWriteLeavesNothing() throws IOException {
        Path path = folder.resolve("bad.safetensors");
        SafeTensorsWriter writer = new SafeTensorsWriter().add("x", Spec.f32(2), () -> MemorySegment.ofArray(new byte[7]));
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> writer.write(path));
        assertEquals("safetensors: tensor 'x' [2] F32 takes 8 bytes, got 7", e.getMessage());
        try (var files = Files.list(folder)) {
            assertEquals(0, files.count());
        }
        assertThrows(IllegalArgumentException.class, () -> writer.add("x", Shape.of(1), 1f));
        assertThrows(IllegalArgumentException.class, () -> writer.add("__metadata__", Shape.of(1), 1f));
    }
}
