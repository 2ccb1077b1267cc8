package dev.retrograd.core.testing;

import dev.retrograd.core.Shape;
import dev.retrograd.core.io.TensorFile;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Writes the tensors of another file as `torch.save({'epoch': 1, 'state_dict': …})` does, in float32.
public final class TorchCheckpoint {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream pickle = new DataOutputStream(bytes);

    private TorchCheckpoint() {
    }

    public static Path write(TensorFile tensors, Path file) throws IOException {
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            stored(zip, "archive/data.pkl", new TorchCheckpoint().pickle(tensors));
            int key = 0;
            for (String name : tensors.names()) {
                float[] values = tensors.floats(name);
                ByteBuffer data = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                data.asFloatBuffer().put(values);
                stored(zip, "archive/data/" + key++, data.array());
            }
            return file;
        }
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

    private byte[] pickle(TensorFile tensors) throws IOException {
        ops("\u0080\u0002}(");
        text("epoch");
        integer(1);
        text("state_dict");
        ops("ccollections\nOrderedDict\n)R(");
        int key = 0;
        for (String name : tensors.names()) {
            Shape shape = tensors.spec(name).shape();
            text(name);
            ops("ctorch._utils\n_rebuild_tensor_v2\n((");
            text("storage");
            ops("ctorch\nFloatStorage\n");
            text(Integer.toString(key++));
            text("cpu");
            integer(shape.elements());
            ops("tQK\u0000(");
            for (int axis = 0; axis < shape.rank(); axis++) {
                integer(shape.dim(axis));
            }
            ops("t(");
            for (int axis = 0; axis < shape.rank(); axis++) {
                integer(shape.span(axis + 1, shape.rank()));
            }
            ops("t\u0089ccollections\nOrderedDict\n)RtR");
        }
        ops("uu.");
        return bytes.toByteArray();
    }

    private void ops(String text) throws IOException {
        pickle.write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private void integer(long value) throws IOException {
        ops("J");
        little(Math.toIntExact(value));
    }

    private void text(String text) throws IOException {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        ops("X");
        little(utf8.length);
        pickle.write(utf8);
    }

    private void little(int value) throws IOException {
        pickle.writeInt(Integer.reverseBytes(value));
    }
}
