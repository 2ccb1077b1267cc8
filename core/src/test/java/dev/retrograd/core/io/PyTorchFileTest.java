package dev.retrograd.core.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.cpu.CpuBackend;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Checkpoints as torch writes them (`checkpoints.py` beside them says how they were made), and hostile ones.
class PyTorchFileTest {
    private static final float[] ROWS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = PyTorchFileTest.class.getResourceAsStream(name)) {
            return in.readAllBytes();
        }
    }

    @ParameterizedTest @ValueSource(strings = {"zip.pt", "legacy.pth"})
    void readsTheTensorsOfTheStateDictionary(String name) throws IOException {
        try (PyTorchFile file = PyTorchFile.of(name, resource(name)); CpuBackend b = new CpuBackend()) {
            assertEquals(Set.of("matrix", "transposed", "row", "tied", "half", "long", "scalar"), file.names());
            assertEquals(new Spec(Shape.of(3, 4), DType.F32), file.spec("matrix"));
            assertArrayEquals(ROWS, file.floats("matrix"));
            assertEquals(Shape.of(4, 3), file.spec("transposed").shape());
            assertArrayEquals(new float[] {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, file.floats("transposed"));
            assertArrayEquals(new float[] {8, 9, 10, 11}, file.floats("row"));
            assertArrayEquals(ROWS, file.floats("tied"));
            assertEquals(DType.F16, file.spec("half").dtype());
            assertArrayEquals(new float[] {0.5f, -2, 65504}, file.floats("half"));
            assertArrayEquals(new long[] {3, -1, 1L << 40}, file.longs("long"));
            assertEquals(Shape.of(), file.spec("scalar").shape());
            assertArrayEquals(new float[] {7}, file.floats("scalar"));
            assertArrayEquals(file.floats("transposed"), b.toFloats(file.load(b, "transposed")));
            assertArrayEquals(file.floats("half"), b.toFloats(file.load(b, "half", DType.F32)));
            assertEquals(name + ": tensor 'absent' is required, but there is none among its 7",
                    assertThrows(ModelFormatException.class, () -> file.spec("absent")).getMessage());
        }
    }

    @Test void formatsAreToldApartByTheirContent(@TempDir Path folder) throws IOException {
        Path misnamed = Files.write(folder.resolve("zip.safetensors"), resource("zip.pt"));
        try (TensorFile file = TensorFile.open(misnamed)) {
            assertArrayEquals(ROWS, file.floats("matrix"));
        }
        Path other = folder.resolve("weights.bin");
        new SafeTensorsWriter().add("matrix", Shape.of(12), ROWS).write(other);
        try (TensorFile file = TensorFile.open(other)) {
            assertTrue(file instanceof SafeTensors, file.getClass().getName());
            assertArrayEquals(ROWS, file.floats("matrix"));
        }
        assertThrows(ModelFormatException.class, () -> TensorFile.open(folder.resolve("absent")));
        assertThrows(ModelFormatException.class, () -> TensorFile.open(Files.write(folder.resolve("empty"), new byte[0])));
    }

    /// Whatever one byte is changed to or cut off, the file is read or refused as damaged, and never read outside of its bytes.
    @ParameterizedTest @ValueSource(strings = {"zip.pt", "legacy.pth"})
    void damagedFilesAreRefusedOrRead(String name) throws IOException {
        byte[] whole = resource(name);
        int refused = 0;
        for (int i = 0; i < whole.length; i++) {
            for (int change : new int[] {0x01, 0x80, 0xFF}) {
                byte[] damaged = whole.clone();
                damaged[i] ^= (byte) change;
                refused += survives(damaged) ? 0 : 1;
            }
            assertTrue(!survives(Arrays.copyOf(whole, i)), "cut off at byte " + i);
        }
        assertTrue(refused > whole.length / 2, "refused " + refused);
    }

    private static boolean survives(byte[] content) {
        try (PyTorchFile file = PyTorchFile.of("m", content)) {
            for (String name : file.names()) {
                file.floats(name);
            }
            return true;
        } catch (ModelFormatException e) {
            assertTrue(e.getMessage().startsWith("m: "), e.getMessage());
            return false;
        }
    }

    // Hand-assembled pickles

    private static byte[] zip(String pickle, int storageBytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(out)) {
            stored(zip, "archive/data.pkl", pickle.getBytes(StandardCharsets.ISO_8859_1));
            stored(zip, "archive/data/0", new byte[storageBytes]);
        }
        return out.toByteArray();
    }

    private static void stored(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry(name);
        CRC32 crc = new CRC32();
        crc.update(content);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    private static String number(long value) {
        byte[] bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
        return "\u008a\u0008" + new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /// `{'x': tensor}` in a storage of `count` float32 elements.
    private static String tensor(long count, long offset, List<Long> sizes, List<Long> strides) {
        StringBuilder p = new StringBuilder("\u0080\u0002}U\u0001xctorch._utils\n_rebuild_tensor_v2\n((U\u0007storagectorch\nFloatStorage\nU\u00010U\u0003cpu");
        p.append(number(count)).append("tQ").append(number(offset)).append('(');
        sizes.forEach(n -> p.append(number(n)));
        p.append("t(");
        strides.forEach(n -> p.append(number(n)));
        return p.append("t\u0089}tRs.").toString();
    }

    private static void refuses(String message, String pickle, int storageBytes) throws IOException {
        byte[] file = zip(pickle, storageBytes);
        assertEquals("m: " + message, assertThrows(ModelFormatException.class, () -> PyTorchFile.of("m", file)).getMessage());
    }

    @Test void classesOutsideTheListAreRefusedByName() throws IOException {
        String why = "; only tensors are read, and nothing is executed";
        refuses("a checkpoint's pickle may not mention the class 'os.system'" + why, "\u0080\u0002cos\nsystem\nU\u0002ls\u0085R.", 0);
        refuses("a checkpoint's pickle may not mention the class 'builtins.eval'" + why, "\u0080\u0004\u008c\u0008builtins\u008c\u0004eval\u0093.", 0);
        refuses("a checkpoint's pickle may not mention the class 'torch.storage._load_from_bytes'" + why, "\u0080\u0002ctorch.storage\n_load_from_bytes\n.", 0);
        refuses("the pickle may not build a torch.FloatStorage itself, only refer to one of the file", "\u0080\u0002ctorch\nFloatStorage\nK\u0001\u0085R.", 0);
    }

    @Test void opcodesOutsideTheListAreRefused() throws IOException {
        refuses("a checkpoint's pickle may not use opcode 0x69 'i', got it at byte 2", "\u0080\u0002ios\nsystem\n.", 0);
        refuses("a checkpoint's pickle may not use opcode 0x82, got it at byte 2", "\u0080\u0002\u0082\u0001.", 0);
        refuses("the pickle's protocol must be at most 5, got 6", "\u0080\u0006}.", 0);
    }

    @Test void bookkeepingOfTrainersIsPassedOver() throws IOException {
        String pickle = tensor(2, 0, List.of(2L), List.of(1L)).replace("}U\u0001x", "}U\u0009callbackscpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n)R}bsU\u0001x");
        try (PyTorchFile file = PyTorchFile.of("m", zip(pickle, 8))) {
            assertEquals(Set.of("x"), file.names());
        }
    }

    @Test void tensorsMustLieInTheirStorage() throws IOException {
        refuses("tensor 'x' [3] by strides [1] from 0 must lie in its storage of 2 elements, each once", tensor(2, 0, List.of(3L), List.of(1L)), 8);
        refuses("tensor 'x' [2] by strides [1] from 1 must lie in its storage of 2 elements, each once", tensor(2, 1, List.of(2L), List.of(1L)), 8);
        refuses("tensor 'x' must start in its storage of 2 elements, got offset -1", tensor(2, -1, List.of(2L), List.of(1L)), 8);
        refuses("tensor 'x' lies in a storage of 3 F32, but the file has 8 bytes of it", tensor(3, 0, List.of(2L), List.of(1L)), 8);
        refuses("tensor 'x' must have sizes 0..2^31-1 and strides of 0 or more, got 2 and -1", tensor(2, 1, List.of(2L), List.of(-1L)), 8);
        refuses("tensor 'x' must have sizes 0..2^31-1 and strides of 0 or more, got 2147483648 and 0", tensor(2, 0, List.of(1L << 31), List.of(0L)), 8);
        refuses("tensor 'x' must have a stride for each of at most 64 sizes, got 1 sizes and 0 strides", tensor(2, 0, List.of(2L), List.of()), 8);
    }

    /// A stride of 0 makes a few bytes as large as one likes.
    @Test void tensorsLargerThanTheirStorageAreRefused() throws IOException {
        refuses("tensor 'x' [2147483647, 2147483647, 2147483647] by strides [0, 0, 0] from 0 must lie in its storage of 2 elements, each once",
                tensor(2, 0, List.of(2147483647L, 2147483647L, 2147483647L), List.of(0L, 0L, 0L)), 8);
        refuses("tensor 'x' [2, 2] by strides [9223372036854775807, 9223372036854775807] from 0 must lie in its storage of 9 elements, each once",
                tensor(9, 0, List.of(2L, 2L), List.of(Long.MAX_VALUE, Long.MAX_VALUE)), 36);
    }

    @Test void picklesThatMakeNoSenseAreRefused() throws IOException {
        refuses("the pickle takes a value that is not there before byte 3", "\u0080\u0002.", 0);
        refuses("the pickle closes what it did not open before byte 3", "\u0080\u0002t.", 0);
        refuses("the pickle recalls value 7, which it never kept, before byte 4", "\u0080\u0002h\u0007.", 0);
        refuses("the checkpoint must hold a dictionary of tensors, got something else", "\u0080\u0002].", 0);
        refuses("the checkpoint must hold tensors, or a 'state_dict' with tensors, got neither", "\u0080\u0002}.", 0);
        refuses("the pickle must be nested at most 1000 deep, got more", "\u0080\u0002" + "(".repeat(1001) + ".", 0);
        refuses("the pickle must have at most 4194304 opcodes, got more", "N".repeat((1 << 22) + 1), 0);
        refuses("the pickle ends at byte 4, but needs 9 more bytes at byte 4", "\u0080\u0002U\t", 0);
        refuses("the checkpoint must hold tensors, or a 'state_dict' with tensors, got neither", "\u0080\u0002}q\u0000U\nstate_dicth\u0000s.", 0);
    }

    @Test void compressedArchivesAreRefused() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(out)) {
            zip.putNextEntry(new ZipEntry("archive/data.pkl"));
            zip.write(new byte[100]);
        }
        String message = assertThrows(ModelFormatException.class, () -> PyTorchFile.of("m", out.toByteArray())).getMessage();
        assertEquals("m: entry 'archive/data.pkl' must be stored as torch does, got compression method 8", message);
    }
}
