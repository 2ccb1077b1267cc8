package dev.retrograd.trainer;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// A safetensors file in an order that compresses: the header as it is, then the lowest byte of every number, then the next one of every number, up to
/// the one with sign and exponent. Exponents of weights are much alike and lowest bits are not; side by side each spoils the other's statistics.
///
/// Both directions keep the length. A file whose numbers differ in size stays as it is.
final class BytePlanes {
    private BytePlanes() {
    }

    /// From a file's own order to planes.
    ///
    /// @param source what messages call the file
    /// @throws ModelFormatException if it is no safetensors file
    static byte[] split(String source, byte[] file) throws ModelFormatException {
        return reordered(source, file, true);
    }

    /// From planes back to the file's own order.
    ///
    /// @param source what messages call the file
    /// @throws ModelFormatException if it is no such file
    static byte[] join(String source, byte[] planes) throws ModelFormatException {
        return reordered(source, planes, false);
    }

    private static byte[] reordered(String source, byte[] in, boolean toPlanes) throws ModelFormatException {
        int width = width(source, in);
        int data = Math.toIntExact(Long.BYTES + ByteBuffer.wrap(in).order(ByteOrder.LITTLE_ENDIAN).getLong());
        int count = (in.length - data) / width;
        byte[] out = in.clone();
        for (int i = 0; i < count; i++) {
            for (int b = 0; b < width; b++) {
                int inOrder = data + i * width + b;
                int inPlanes = data + b * count + i;
                out[toPlanes ? inPlanes : inOrder] = in[toPlanes ? inOrder : inPlanes];
            }
        }
        return out;
    }

    /// Bytes of each number, or 1 if they differ; the header says so in either order.
    private static int width(String source, byte[] file) throws ModelFormatException {
        try (SafeTensors tensors = SafeTensors.of(source, file)) {
            int width = 0;
            for (String name : tensors.names()) {
                int bytes = tensors.spec(name).dtype().bytes();
                if (width != 0 && width != bytes) {
                    return 1;
                }
                width = bytes;
            }
            return Math.max(1, width);
        }
    }
}
