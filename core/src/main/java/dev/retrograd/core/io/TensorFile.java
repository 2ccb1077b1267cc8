package dev.retrograd.core.io;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/// A file of named tensors, whatever its format: {@link SafeTensors} or {@link PyTorchFile}.
///
/// Nothing is read before it is asked for. Numbers are little-endian. All methods that take a name throw {@link ModelFormatException} if there
/// is no such tensor.
public interface TensorFile extends AutoCloseable {

    /// Opens a file of either format, told apart by its first bytes, not by its name; close it when its tensors have been loaded.
    ///
    /// @throws ModelFormatException if there is no such file, or it is damaged or of neither format
    /// @throws IOException if it cannot be read
    static TensorFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new ModelFormatException(path + ": a file of weights is required, but " + (Files.exists(path) ? "this is none" : "there is none"));
        }
        byte[] start = new byte[TensorBytes.MAGIC_BYTES];
        int read;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            read = channel.read(ByteBuffer.wrap(start));
        }
        return PyTorchFile.startsLike(Arrays.copyOf(start, Math.max(read, 0))) ? PyTorchFile.open(path) : SafeTensors.open(path);
    }

    /// What messages call the file.
    String source();

    /// Names of all tensors, also of those whose element type is not read.
    Set<String> names();

    /// Shape and element type of a tensor.
    ///
    /// @throws ModelFormatException if its element type is not one of {@link DType}
    Spec spec(String name) throws ModelFormatException;

    /// Shape of a tensor of any element type.
    default Shape shape(String name) throws ModelFormatException {
        return spec(name).shape();
    }

    /// A tensor's elements in row-major order, in their own type; read-only, valid until the file is closed.
    MemorySegment bytes(String name) throws ModelFormatException;

    /// Free-form strings beside the tensors; none in formats without them.
    default Map<String, String> metadata() {
        return Map.of();
    }

    /// A tensor's values, converted to float32 (nearest).
    ///
    /// @throws ModelFormatException if its element type is not read or it exceeds an array
    default float[] floats(String name) throws ModelFormatException {
        Spec spec = spec(name);
        MemorySegment s = bytes(name);
        float[] values = TensorBytes.array(source(), name, spec, float[]::new);
        switch (spec.dtype()) {
            case F32 -> MemorySegment.copy(s, TensorBytes.FLOAT, 0, values, 0, values.length);
            case F64 -> TensorBytes.fill(values, i -> (float) s.getAtIndex(TensorBytes.DOUBLE, i));
            case F16 -> TensorBytes.fill(values, i -> Float.float16ToFloat(s.getAtIndex(TensorBytes.SHORT, i)));
            case BF16 -> TensorBytes.fill(values, i -> DType.bf16ToFloat(s.getAtIndex(TensorBytes.SHORT, i)));
            case I64 -> TensorBytes.fill(values, i -> s.getAtIndex(TensorBytes.LONG, i));
            case I32 -> TensorBytes.fill(values, i -> s.getAtIndex(TensorBytes.INT, i));
            case U8 -> TensorBytes.fill(values, i -> s.getAtIndex(ValueLayout.JAVA_BYTE, i) & 0xFF);
        }
        return values;
    }

    /// An integer tensor's values.
    ///
    /// @throws ModelFormatException if it does not hold integers that are read, or exceeds an array
    default long[] longs(String name) throws ModelFormatException {
        Spec spec = spec(name);
        MemorySegment s = bytes(name);
        long[] values = TensorBytes.array(source(), name, spec, long[]::new);
        switch (spec.dtype()) {
            case I64 -> MemorySegment.copy(s, TensorBytes.LONG, 0, values, 0, values.length);
            case I32 -> Arrays.setAll(values, i -> s.getAtIndex(TensorBytes.INT, i));
            case U8 -> Arrays.setAll(values, i -> s.getAtIndex(ValueLayout.JAVA_BYTE, i) & 0xFF);
            case F64, F32, F16, BF16 -> throw new ModelFormatException(source() + ": tensor " + SafeTensorsHeader.shown(name) + " must hold integers, got " + spec);
        }
        return values;
    }

    /// Whether a floating-point tensor has neither infinities nor NaN; for the types that weights rest in, as fast as memory is read.
    default boolean finite(String name) throws ModelFormatException {
        DType type = spec(name).dtype();
        if (type == DType.F64) {
            for (float value : floats(name)) {
                if (!Float.isFinite(value)) {
                    return false;
                }
            }
            return true;
        }
        return TensorBytes.finite(bytes(name), type);
    }

    /// A tensor of a backend with the file's shape, element type and values, in the innermost open scope.
    default Tensor load(Backend backend, String name) throws ModelFormatException {
        Tensor t = backend.empty(name, spec(name));
        backend.upload(bytes(name), t);
        return t;
    }

    /// As {@link #load(Backend, String)}, converted by the backend to another element type.
    default Tensor load(Backend backend, String name, DType dtype) throws ModelFormatException {
        Spec spec = spec(name);
        if (spec.dtype() == dtype) {
            return load(backend, name);
        }
        try (Scope scope = backend.memory().open("load")) {
            Tensor converted = backend.empty(name, spec.with(dtype));
            backend.convert(load(backend, name), converted);
            return scope.keep(converted);
        }
    }

    /// Unmaps the file; slices from {@link #bytes} are invalid afterwards.
    @Override void close();
}
