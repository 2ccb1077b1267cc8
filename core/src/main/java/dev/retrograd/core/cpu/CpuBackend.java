package dev.retrograd.core.cpu;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Binary;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Memory;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// The CPU: tensors off the heap, kernels on the Vector API over all cores.
///
/// Its methods check what memory safety needs and hand on to one class per kernel family. Results do not depend on the number of threads.
public final class CpuBackend implements Backend {
    private final CpuMemory memory;
    private final Workers workers;
    private final Gemm gemm;
    private final CpuElementwise elementwise;
    private final CpuBinary binary;
    private final CpuReduction reduction;
    private final CpuShape shape;
    private final CpuOptimizer optimizer;
    private final CpuMatrix matrix;
    private final CpuConvolution convolution;
    private final CpuAttention attention;
    private final AttentionBackward attentionBackward;
    private final CpuNorms norms;
    private final CpuGroupNorm groupNorms;
    private final CpuImage images;

    /// How the backend runs.
    ///
    /// @param threads 1 or more
    /// @param poison whether fresh tensors are filled with NaN, so that a test sees a kernel that leaves part of its output unwritten
    public record Options(int threads, boolean poison) {

        /// One thread per core.
        public static Options defaults() {
            return new Options(Runtime.getRuntime().availableProcessors(), false);
        }

        /// @throws IllegalArgumentException if there is no thread
        public Options {
            if (threads < 1) {
                throw new IllegalArgumentException("cpu: threads must be 1 or more, got " + threads);
            }
        }

        public Options withThreads(int count) {
            return new Options(count, poison);
        }

        public Options withPoison() {
            return new Options(threads, true);
        }
    }

    /// A backend over all cores.
    public CpuBackend() {
        this(Options.defaults());
    }

    public CpuBackend(Options options) {
        memory = new CpuMemory(options.poison());
        workers = new Workers(options.threads());
        gemm = new Gemm(workers);
        elementwise = new CpuElementwise(workers);
        binary = new CpuBinary(workers);
        reduction = new CpuReduction(workers);
        shape = new CpuShape(workers);
        optimizer = new CpuOptimizer(workers);
        matrix = new CpuMatrix(gemm);
        convolution = new CpuConvolution(gemm);
        attention = new CpuAttention(workers);
        attentionBackward = new AttentionBackward(attention);
        norms = new CpuNorms(workers);
        groupNorms = new CpuGroupNorm(workers);
        images = new CpuImage(workers);
    }

    /// What multiplies matrices here: machine code, or compiled vectors and why.
    public static String products() {
        return MachineCode.OBSTACLE.map(why -> "by compiled vectors (" + why + ")").orElse("by machine code");
    }

    @Override public String name() {
        return "cpu";
    }

    @Override public Memory memory() {
        return memory.memory();
    }

    @Override public long workspaceBytes() {
        return gemm.workspaceBytes() + attention.workspaceBytes();
    }

    @Override public long reservedBytes() {
        return memory.reservedBytes();
    }

    /// Threads that kernels run on, the caller's included.
    public int threads() {
        return workers.threads();
    }

    @Override public void upload(MemorySegment source, Tensor target) {
        MemorySegment data = CpuMemory.data(target);
        requireBytes("upload", target, source);
        MemorySegment.copy(source, 0, data, 0, data.byteSize());
    }

    @Override public Tensor share(String name, Spec spec, MemorySegment source) {
        if (!CpuMemory.canShare(source)) {
            return Backend.super.share(name, spec, source);
        }
        if (source.byteSize() != spec.bytes()) {
            throw new ShapeException("share: '" + name + "' " + spec + " takes " + spec.bytes() + " bytes, got " + source.byteSize());
        }
        return memory.share(name, spec, source);
    }

    @Override public void download(Tensor source, MemorySegment target) {
        MemorySegment data = CpuMemory.data(source);
        requireBytes("download", source, target);
        MemorySegment.copy(data, 0, target, 0, data.byteSize());
    }

    private static void requireBytes(String where, Tensor t, MemorySegment host) {
        if (host.byteSize() != t.spec().bytes()) {
            throw new ShapeException(where + ": " + t + " takes " + t.spec().bytes() + " bytes, got " + host.byteSize());
        }
    }

    @Override public void close() {
        // waits for a product on another thread, which would otherwise lose the memory under it
        workers.close();
        gemm.close();
        memory.close();
    }

    @Override public void unary(Unary f, Tensor x, Tensor y) {
        elementwise.unary(f, x, y);
    }

    @Override public void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx) {
        elementwise.unaryBackward(f, x, dy, dx);
    }

    @Override public void binary(Binary f, Tensor a, Tensor b, Tensor y) {
        binary.binary(f, a, b, y);
    }

    @Override public void linearCombination(double constant, double[] coefficients, Tensor[] xs, Tensor y) {
        elementwise.linearCombination(constant, coefficients, xs, y);
    }

    @Override public void fill(Tensor y, double value) {
        elementwise.fill(y, value);
    }

    @Override public void convert(Tensor x, Tensor y) {
        elementwise.convert(x, y);
    }

    @Override public void sumTo(Tensor x, double scale, Tensor y) {
        reduction.sumTo(x, scale, y);
    }

    @Override public void broadcastTo(Tensor x, double scale, Tensor y) {
        reduction.broadcastTo(x, scale, y);
    }

    @Override public void globalNorm(List<Tensor> xs, Tensor y) {
        reduction.globalNorm(xs, y);
    }

    @Override public void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        matrix.matmul(a, transposeA, b, transposeB, y);
    }

    @Override public void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        matrix.matmulAcc(a, transposeA, b, transposeB, y);
    }

    @Override public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        matrix.linear(x, w, bias, y);
    }

    @Override public void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        matrix.loraAcc(x, a, b, scale, xa, y);
    }

    @Override public void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        convolution.conv2d(spec, x, w, y);
    }

    @Override public void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        convolution.conv2d(spec, x, w, bias, y);
    }

    @Override public void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        convolution.conv2dBackwardInput(spec, dy, w, dx);
    }

    @Override public void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        convolution.conv2dBackwardWeight(spec, x, dy, dw);
    }

    @Override public void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        attention.attention(spec, q, k, v, y, logSumExp);
    }

    @Override public void paddedAttention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp) {
        attention.attention(spec, q, k, v, y, logSumExp, keys("paddedAttention", lengths, k));
    }

    @Override public void paddedAttentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        attentionBackward.run(spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv, keys("paddedAttentionBackward", lengths, k));
    }

    /// How many keys each image has.
    private static int[] keys(String kernel, Tensor lengths, Tensor k) {
        if (lengths.dtype() != DType.I32 || lengths.elements() != k.dim(0)) {
            throw new ShapeException(kernel + ": a number of keys for each image of " + k + ", I32, is required, got " + lengths);
        }
        return CpuMemory.data(lengths).toArray(ValueLayout.JAVA_INT);
    }

    @Override public void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        attentionBackward.run(spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
    }

    @Override public void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        groupNorms.groupNorm(groups, eps, x, gamma, beta, y, mean, rstd);
    }

    @Override public void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        groupNorms.groupNormBackward(x, gamma, mean, rstd, dy, dx);
    }

    @Override public void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        groupNorms.groupNormBackwardParameters(x, mean, rstd, dy, dgamma, dbeta);
    }

    @Override public void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        groupNorms.groupNormSilu(groups, eps, x, gamma, beta, y, mean, rstd);
    }

    @Override public void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        groupNorms.groupNormSiluBackward(x, gamma, beta, mean, rstd, dy, dz);
    }

    @Override public void groupNormSiluBackwardInput(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        groupNorms.groupNormSiluBackwardInput(x, gamma, beta, mean, rstd, dy, dx);
    }

    @Override public void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        norms.layerNorm(eps, x, gamma, beta, y, mean, rstd);
    }

    @Override public void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        norms.layerNormBackward(x, gamma, mean, rstd, dy, dx);
    }

    @Override public void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        norms.layerNormBackwardParameters(x, mean, rstd, dy, dgamma, dbeta);
    }

    @Override public void softmax(Tensor x, Tensor y) {
        norms.softmax(x, y);
    }

    @Override public void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        norms.softmaxBackward(y, dy, dx);
    }

    @Override public void geglu(Tensor x, Tensor y) {
        norms.geglu(x, y);
    }

    @Override public void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        norms.gegluBackward(x, dy, dx);
    }

    @Override public void permute(Tensor x, int[] axes, Tensor y) {
        shape.permute(x, axes, y);
    }

    @Override public void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count) {
        shape.copySlice(x, axis, xStart, y, yStart, count);
    }

    @Override public void gatherRows(Tensor table, Tensor ids, Tensor y) {
        shape.gatherRows(table, ids, y);
    }

    @Override public void scatterRows(Tensor dy, Tensor ids, Tensor dtable) {
        shape.scatterRows(dy, ids, dtable);
    }

    @Override public void upsampleNearest(int factor, Tensor x, Tensor y) {
        images.upsampleNearest(factor, x, y);
    }

    @Override public void upsampleNearestBackward(int factor, Tensor dy, Tensor dx) {
        images.upsampleNearestBackward(factor, dy, dx);
    }

    @Override public void resize(Resampling how, Tensor x, Tensor y) {
        images.resize(how, x, y);
    }

    @Override public void resizeBackward(Resampling how, Tensor dy, Tensor dx) {
        images.resizeBackward(how, dy, dx);
    }

    @Override public void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v) {
        optimizer.adamw(step, grad, gradientScale, p, m, v);
    }

    @Override public void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        optimizer.clipFactor(norm, maxNorm, y);
    }
}
