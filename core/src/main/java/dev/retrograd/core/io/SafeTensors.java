package dev.retrograd.core.io;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;

/// A safetensors file, mapped into memory: nothing is read before it is asked for, and files may exceed 2 GiB.
///
/// The header is checked as a whole when the file is opened; a damaged one is refused with the file, the tensor and the reason. Numbers are
/// little-endian. All methods that take a name throw {@link ModelFormatException} if there is no such tensor.
public final class SafeTensors implements AutoCloseable {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String source;
    private final Arena arena;
    private final MemorySegment file;
    private final SafeTensorsHeader header;

    private SafeTensors(String source, Arena arena, MemorySegment file) throws ModelFormatException {
        this.source = source;
        this.arena = arena;
        this.file = file.asReadOnly();
        header = SafeTensorsHeader.read(source, this.file);
    }

    /// Opens a file; close it when its tensors have been loaded.
    ///
    /// @throws ModelFormatException if there is no such file or it is damaged
    /// @throws IOException if it cannot be read
    public static SafeTensors open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new ModelFormatException(path + ": a safetensors file is required, but " + (Files.exists(path) ? "this is none" : "there is none"));
        }
        Arena arena = Arena.ofShared();
        boolean opened = false;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            SafeTensors tensors = new SafeTensors(path.toString(), arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
            opened = true;
            return tensors;
        } finally {
            if (!opened) {
                arena.close();
            }
        }
    }

    /// Reads a file that is in memory already, such as a resource of the jar.
    ///
    /// @param source what messages call it
    /// @throws ModelFormatException if it is damaged
    public static SafeTensors of(String source, byte[] content) throws ModelFormatException {
        return of(source, MemorySegment.ofArray(content));
    }

    /// Reads a file that is in memory already; the segment must outlive this object.
    ///
    /// @param source what messages call it
    /// @throws ModelFormatException if it is damaged
    public static SafeTensors of(String source, MemorySegment content) throws ModelFormatException {
        return new SafeTensors(source, Arena.ofShared(), content);
    }

    /// What messages call the file.
    public String source() {
        return source;
    }

    /// Names of all tensors in the order of the data, also of those whose element type is not read.
    public Set<String> names() {
        return Collections.unmodifiableSet(header.entries().keySet());
    }

    /// The free-form strings of the header.
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(header.metadata());
    }

    /// Shape and element type of a tensor.
    ///
    /// @throws ModelFormatException if its element type is not one of {@link DType}
    public Spec spec(String name) throws ModelFormatException {
        SafeTensorsHeader.Entry entry = entry(name);
        for (DType dtype : DType.values()) {
            if (dtype.name().equals(entry.dtype())) {
                return new Spec(entry.shape(), dtype);
            }
        }
        throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " must be one of " + Arrays.toString(DType.values()) + ", got " + entry.dtype());
    }

    /// A tensor's bytes as they are in the file, of any element type; read-only, valid until the file is closed.
    public MemorySegment bytes(String name) throws ModelFormatException {
        SafeTensorsHeader.Entry entry = entry(name);
        return file.asSlice(entry.begin(), entry.end() - entry.begin());
    }

    private SafeTensorsHeader.Entry entry(String name) throws ModelFormatException {
        SafeTensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " is required, but there is none among its " + header.entries().size());
        }
        return entry;
    }

    /// A tensor's values, converted to float32 (nearest).
    ///
    /// @throws ModelFormatException if its element type is not read or it exceeds an array
    public float[] floats(String name) throws ModelFormatException {
        Spec spec = spec(name);
        MemorySegment s = bytes(name);
        float[] values = array(name, spec, float[]::new);
        switch (spec.dtype()) {
            case F32 -> MemorySegment.copy(s, FLOAT, 0, values, 0, values.length);
            case F64 -> fill(values, i -> (float) s.getAtIndex(DOUBLE, i));
            case F16 -> fill(values, i -> Float.float16ToFloat(s.getAtIndex(SHORT, i)));
            case BF16 -> fill(values, i -> DType.bf16ToFloat(s.getAtIndex(SHORT, i)));
            case I64 -> fill(values, i -> s.getAtIndex(LONG, i));
            case I32 -> fill(values, i -> s.getAtIndex(INT, i));
            case U8 -> fill(values, i -> s.getAtIndex(ValueLayout.JAVA_BYTE, i) & 0xFF);
        }
        return values;
    }

    @FunctionalInterface private interface IndexToFloat {
        float at(int i);
    }

    private static void fill(float[] values, IndexToFloat f) {
        for (int i = 0; i < values.length; i++) {
            values[i] = f.at(i);
        }
    }

    /// An integer tensor's values.
    ///
    /// @throws ModelFormatException if it does not hold integers that are read, or exceeds an array
    public long[] longs(String name) throws ModelFormatException {
        Spec spec = spec(name);
        MemorySegment s = bytes(name);
        long[] values = array(name, spec, long[]::new);
        switch (spec.dtype()) {
            case I64 -> MemorySegment.copy(s, LONG, 0, values, 0, values.length);
            case I32 -> Arrays.setAll(values, i -> s.getAtIndex(INT, i));
            case U8 -> Arrays.setAll(values, i -> s.getAtIndex(ValueLayout.JAVA_BYTE, i) & 0xFF);
            case F64, F32, F16, BF16 -> throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " must hold integers, got " + spec);
        }
        return values;
    }

    private <A> A array(String name, Spec spec, IntFunction<A> create) throws ModelFormatException {
        long elements = spec.shape().elements();
        if (elements > Integer.MAX_VALUE - 8) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " must fit into an array, got " + elements + " elements");
        }
        return create.apply((int) elements);
    }

    /// A tensor of a backend with the file's shape, element type and values, in the innermost open scope.
    public Tensor load(Backend backend, String name) throws ModelFormatException {
        Tensor t = backend.empty(name, spec(name));
        backend.upload(bytes(name), t);
        return t;
    }

    /// As {@link #load(Backend, String)}, converted by the backend to another element type.
    public Tensor load(Backend backend, String name, DType dtype) throws ModelFormatException {
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
    @Override public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
