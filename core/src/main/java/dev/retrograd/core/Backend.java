package dev.retrograd.core;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Supplier;

/// A device: its memory, transfers, and the list of kernels that operators are made of.
///
/// Kernels come in families, one interface each. In all of them: tensors belong to this backend, activations are rows × channels (`[B,H,W,C]`,
/// `[B,N,C]`), shapes were checked by the operator that calls, results go to the tensors named last and overwrite them unless the method's
/// name ends in `Acc`, and nothing is allocated unless said. A backend serves one thread at a time. Equal inputs give equal bits, whatever the
/// number of threads.
///
/// Element types. Activations (and their gradients) of one call have one type: `F32` on every backend, and the 16-bit {@link #activations()} on
/// one that computes in it. Arithmetic and sums are float32 whatever the activations are; a result is rounded once, as it is written.
///
/// | family | beside activations of type T |
/// |---|---|
/// | elementwise, reductions, images, softmax, GEGLU | nothing: all tensors of a call are T; also `F64`, where the family says so; `convert` takes any two types |
/// | matrix products, convolution | an operand may rest in 16 bits beside `F32`, and is read as it is; one of `F32` beside 16 bits is rounded to them; bias `F32`; a result is T or, for a weight's gradient, `F32` |
/// | normalisation | gamma, beta, their gradients and the statistics are `F32` |
/// | attention | log-sum-exp and delta are `F32` |
/// | shapes | any one type; rows of a table are `F32` or the table's type, the gradient of a table is of the table's type, or `F32` |
/// | optimiser, global norm | all `F32` |
///
/// So frozen matrices and kernels rest in the activations' type; vectors (biases, gamma, beta), trained weights, low-rank matrices, all weights' gradients,
/// latents, scores and losses are `F32`. `F64` is for {@link ElementwiseKernels} and {@link ReductionKernels}, and all kernels of a reference backend.
public interface Backend extends ElementwiseKernels, ReductionKernels, MatrixKernels, ConvolutionKernels, AttentionKernels,
        NormKernels, ShapeKernels, ImageKernels, OptimizerKernels, AutoCloseable {

    /// What `--device` calls it: `cpu`, `cuda:0`, `plan`.
    String name();

    Memory memory();

    /// Whether there are values behind its tensors: false for a plan.
    default boolean computes() {
        return true;
    }

    /// What it computes in.
    default Precision precision() {
        return Precision.F32;
    }

    /// The type that models compute in between their boundaries: what they convert their inputs to, and their outputs from, back to `F32`.
    default DType activations() {
        return precision().activations();
    }

    /// What it holds of graphs of launches; empty where it submits launches one by one.
    default Optional<GraphUse> graphs() {
        return Optional.empty();
    }

    /// Bytes of packing buffers and other workspace that the backend holds for its whole life, outside {@link Memory#liveBytes()}.
    long workspaceBytes();

    /// `hidden = x·wᵀ + bias; y = value·gelu(gate)` with `[value, gate]` the halves of hidden's last axis, which {@link #gegluBackward} reads: the first
    /// half of diffusers' feed-forward layer. One launch where the backend has it.
    ///
    /// @param hidden `[..., 2C]`
    /// @param y `[..., C]`
    default void linearGeglu(Tensor x, Tensor w, Tensor bias, Tensor hidden, Tensor y) {
        linear(x, w, bias, hidden);
        geglu(hidden, y);
    }

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

    /// A tensor in the innermost open scope that holds host bytes, read where they lie if the backend can; it is not to be written to.
    ///
    /// @param source in the element type and order of the spec; it must stay as it is while the tensor lives
    default Tensor share(String name, Spec spec, MemorySegment source) {
        Tensor t = empty(name, spec);
        upload(source, t);
        return t;
    }

    /// Copies a tensor's bytes to the host; waits for everything before it.
    ///
    /// @param target exactly as many bytes as the tensor has
    void download(Tensor source, MemorySegment target);

    /// Begins to copy a tensor's bytes to the host, as they are after all that was asked of the backend so far. A device computes on meanwhile; the tensor may be freed.
    ///
    /// @param target exactly as many bytes as the tensor has
    /// @return to be run before the target is read: waits until all of it is there
    default Runnable startDownload(Tensor source, MemorySegment target) {
        download(source, target);
        return () -> { };
    }

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

    /// Rows of N(0,1) values from rows of uniforms, as `torch.randn` makes them of its generator's words, bit for bit.
    ///
    /// @param uniforms `F32 [rows, m]`, of {@link RandomStream#uniformsOfNormals}
    /// @param y `F32 [rows, n]`, n of 16 or more; m is n, or where 16 does not divide it n rounded up
    default void normals(Tensor uniforms, Tensor y) {
        int n = y.shape().channels();
        int m = uniforms.shape().channels();
        float[] drawn = toFloats(uniforms);
        float[] values = new float[Math.toIntExact(y.elements())];
        for (int row = 0; row * n < values.length; row++) {
            BoxMuller.normals(drawn, row * m, values, row * n, n);
        }
        upload(MemorySegment.ofArray(values), y);
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
        return startToFloats(t).get();
    }

    /// Begins what {@link #toFloats} does, as {@link #startDownload} does.
    ///
    /// @return waits for the values
    default Supplier<float[]> startToFloats(Tensor t) {
        float[] values = new float[Math.toIntExact(t.elements())];
        Runnable arrived;
        if (t.dtype() == DType.F32) {
            arrived = startDownload(t, MemorySegment.ofArray(values));
        } else {
            try (Scope _ = memory().open("toFloats")) {
                Tensor f = empty(t.name(), t.spec().with(DType.F32));
                convert(t, f);
                arrived = startDownload(f, MemorySegment.ofArray(values));
            }
        }
        return () -> {
            arrived.run();
            return values;
        };
    }

    /// Bytes taken from the device or the system for tensors: live ones, cached ones, an arena. Those that are live where nothing is cached.
    default long reservedBytes() {
        return memory().liveBytes();
    }

    /// How many kernels were launched on the device so far; 0 where a call is no launch.
    default long launches() {
        return 0;
    }

    /// Waits until everything asked for has happened.
    default void synchronize() {
    }

    /// Frees all memory; the backend is of no use afterwards.
    @Override void close();
}
