package dev.retrograd.core;

import java.lang.foreign.MemorySegment;

/// A device: its memory, transfers, and the list of kernels that operators are made of.
///
/// Kernels come in families, one interface each. In all of them: tensors belong to this backend, activations are rows × channels (`[B,H,W,C]`,
/// `[B,N,C]`), shapes were checked by the operator that calls, results go to the tensors named last and overwrite them unless the method's
/// name ends in `Acc`, and nothing is allocated unless said. Element types: `F32` everywhere; `F16`/`BF16` weights everywhere, and activations on devices
/// that compute in them; `F64` in {@link ElementwiseKernels} and {@link ReductionKernels}, and in all kernels of a reference backend.
/// A backend serves one thread at a time. Equal inputs give equal bits, whatever the number of threads.
public interface Backend extends ElementwiseKernels, ReductionKernels, MatrixKernels, ConvolutionKernels, AttentionKernels,
        NormKernels, ShapeKernels, ImageKernels, OptimizerKernels, AutoCloseable {

    /// What `--device` calls it: `cpu`, `cuda:0`, `plan`.
    String name();

    Memory memory();

    /// Whether there are values behind its tensors: false for a plan.
    default boolean computes() {
        return true;
    }

    /// Bytes of packing buffers and other workspace that the backend holds for its whole life, outside {@link Memory#liveBytes()}.
    long workspaceBytes();

    /// A tensor in the innermost open scope; contents undefined.
    @Override default Tensor empty(String name, Spec spec) {
        return memory().allocate(name, spec);
    }

    /// A tensor of zeros in the innermost open scope.
    default Tensor zeros(String name, Spec spec) {
        Tensor t = empty(name, spec);
        fill(t, 0);
        return t;
    }

    /// Copies host bytes, in the tensor's own element type and order, into a tensor.
    ///
    /// @param source exactly as many bytes as the tensor has, on the heap or off it
    void upload(MemorySegment source, Tensor target);

    /// Copies a tensor's bytes to the host; waits for everything before it.
    ///
    /// @param target exactly as many bytes as the tensor has
    void download(Tensor source, MemorySegment target);

    /// A tensor of these values.
    ///
    /// @throws ShapeException if there are not exactly as many values as elements
    default Tensor floats(String name, Shape shape, float... values) {
        if (values.length != shape.elements()) {
            throw new ShapeException("floats '" + name + "': " + shape + " takes " + shape.elements() + " values, got " + values.length);
        }
        Tensor t = empty(name, new Spec(shape, DType.F32));
        upload(MemorySegment.ofArray(values), t);
        return t;
    }

    /// An `I32` tensor of these values.
    ///
    /// @throws ShapeException if there are not exactly as many values as elements
    default Tensor ints(String name, Shape shape, int... values) {
        if (values.length != shape.elements()) {
            throw new ShapeException("ints '" + name + "': " + shape + " takes " + shape.elements() + " values, got " + values.length);
        }
        Tensor t = empty(name, new Spec(shape, DType.I32));
        upload(MemorySegment.ofArray(values), t);
        return t;
    }

    /// The values of a tensor of at most 2³¹ − 1 elements, converted to float32 where it holds another floating type.
    default float[] toFloats(Tensor t) {
        float[] values = new float[Math.toIntExact(t.elements())];
        if (t.dtype() == DType.F32) {
            download(t, MemorySegment.ofArray(values));
            return values;
        }
        try (Scope _ = memory().open("toFloats")) {
            Tensor f = empty(t.name(), t.spec().with(DType.F32));
            convert(t, f);
            download(f, MemorySegment.ofArray(values));
            return values;
        }
    }

    /// Waits until everything asked for has happened.
    default void synchronize() {
    }

    /// Frees all memory; the backend is of no use afterwards.
    @Override void close();
}
