package dev.retrograd.core.reference;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Memory;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Every kernel as the plain loops of its definition, in float64: what other backends and operators are tested against.
///
/// Floating tensors of any declared type hold float64, so that central differences stay in float64 even through tensors that an operator
/// declares `F32`; only {@link #convert} to a 16-bit type and {@link #download} round. Integers are exact up to 2⁵³.
public final class ReferenceBackend implements Backend, ReferenceElementwise, ReferenceReductions, ReferenceMatrix, ReferenceConvolution,
        ReferenceAttention, ReferenceNorms, ReferenceShapes, ReferenceImages, ReferenceOptimizer {
    private final Memory memory;

    public ReferenceBackend() {
        this(false);
    }

    private ReferenceBackend(boolean single) {
        memory = new Memory("reference", (name, bytes) -> new ReferenceStorage(name, bytes, single));
    }

    /// The same loops with every stored value and running sum rounded to float32: the naive computation whose error tolerances are measured by.
    public static ReferenceBackend float32() {
        return new ReferenceBackend(true);
    }

    @Override public String name() {
        return "reference";
    }

    @Override public Memory memory() {
        return memory;
    }

    @Override public long workspaceBytes() {
        return 0;
    }

    /// An `F64` tensor of these values.
    ///
    /// @throws ShapeException if there are not exactly as many values as elements
    public Tensor doubles(String name, Shape shape, double... values) {
        Tensor t = empty(name, new Spec(shape, DType.F64));
        set(t, values);
        return t;
    }

    /// Overwrites a tensor of any floating type with unrounded values.
    ///
    /// @throws ShapeException if there are not exactly as many values as elements
    public void set(Tensor t, double... values) {
        if (values.length != t.elements()) {
            throw new ShapeException("set: " + t + " takes " + t.elements() + " values, got " + values.length);
        }
        Values to = Values.of(t);
        System.arraycopy(values, 0, to.array(), to.start(), values.length);
    }

    /// The values of a tensor of any type, unrounded.
    public double[] toDoubles(Tensor t) {
        Values v = Values.of(t);
        return java.util.Arrays.copyOfRange(v.array(), v.start(), v.start() + v.length());
    }

    @Override public void upload(MemorySegment source, Tensor target) {
        requireSize("upload", source, target);
        Values y = Values.of(target);
        for (int i = 0; i < y.length(); i++) {
            y.set(i, read(source, target.dtype(), i));
        }
    }

    @Override public void download(Tensor source, MemorySegment target) {
        requireSize("download", target, source);
        Values x = Values.of(source);
        for (int i = 0; i < x.length(); i++) {
            write(target, source.dtype(), i, x.get(i));
        }
    }

    private static void requireSize(String what, MemorySegment host, Tensor t) {
        if (host.byteSize() != t.spec().bytes()) {
            throw new ShapeException(what + ": " + t + " has " + t.spec().bytes() + " bytes, got " + host.byteSize());
        }
    }

    private static double read(MemorySegment s, DType dtype, int i) {
        long at = (long) i * dtype.bytes();
        return switch (dtype) {
            case F64 -> s.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at);
            case F32 -> s.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            case F16 -> Float.float16ToFloat(s.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
            case BF16 -> DType.bf16ToFloat(s.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
            case I64 -> s.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
            case I32 -> s.get(ValueLayout.JAVA_INT_UNALIGNED, at);
            case U8 -> s.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
        };
    }

    private static void write(MemorySegment s, DType dtype, int i, double value) {
        long at = (long) i * dtype.bytes();
        switch (dtype) {
            case F64 -> s.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, at, value);
            case F32 -> s.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, (float) value);
            case F16 -> s.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16((float) value));
            case BF16 -> s.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, DType.floatToBf16((float) value));
            case I64 -> s.set(ValueLayout.JAVA_LONG_UNALIGNED, at, (long) value);
            case I32 -> s.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) value);
            case U8 -> s.set(ValueLayout.JAVA_BYTE, at, (byte) (int) value);
        }
    }

    @Override public void close() {
        memory.close();
    }
}
