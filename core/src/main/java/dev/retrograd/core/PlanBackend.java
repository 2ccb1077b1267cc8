package dev.retrograd.core;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.TreeMap;

/// A backend of shapes, bytes and FLOPs only: what a computation costs on another backend, found without computing.
///
/// Tensors live and die as anywhere else, so {@link Memory#liveBytes()} and {@link Memory#peakBytes()} equal those of the backend it stands
/// for to the byte; there are no values behind them. Every kernel call adds a {@link Cost} under the kernel's name and under the path of open scopes.
///
/// FLOPs: a multiply-add is 2; an elementwise function is 1 per element whatever the function; the constants below count the others. Attention
/// counts the pairs of query and key that the mask leaves. Bytes: every operand once, an updated one twice; what a cache saves is not known here.
public final class PlanBackend implements Backend {
    private static final long NORM_FLOPS = 8;
    private static final long NORM_BACKWARD_FLOPS = 12;
    private static final long NORM_PARAMETER_FLOPS = 5;
    private static final long SOFTMAX_FLOPS = 5;
    private static final long SOFTMAX_BACKWARD_FLOPS = 4;
    private static final long GEGLU_BACKWARD_FLOPS = 4;
    private static final long SILU_BACKWARD_FLOPS = 5;
    private static final long ADAMW_FLOPS = 14;
    /// Of a value: half of a logarithm, a root, a sine and a cosine.
    private static final long NORMAL_FLOPS = 24;

    private final String standsFor;
    private final long workspaceBytes;
    private final Precision precision;
    private final Memory memory;
    private final Map<String, Cost> costs = new TreeMap<>();
    private final Map<String, Cost> costsByScope = new HashMap<>();
    private KernelObserver observer = (_, _, _) -> { };
    private boolean readsZeros;

    /// @param standsFor name of the backend that it plans for, which is also the outermost scope's
    /// @param workspaceBytes that backend's {@link Backend#workspaceBytes()}
    public PlanBackend(String standsFor, long workspaceBytes) {
        this(standsFor, workspaceBytes, Precision.F32);
    }

    /// @param precision that backend's {@link Backend#precision()}, which need not be at hand
    public PlanBackend(String standsFor, long workspaceBytes, Precision precision) {
        this.standsFor = standsFor;
        this.workspaceBytes = workspaceBytes;
        this.precision = precision;
        memory = new Memory(standsFor, PlanStorage::new);
    }

    /// What a kernel, a scope or all of them cost.
    ///
    /// @param flops floating point operations
    /// @param bytes bytes read and written
    /// @param calls number of kernel calls
    public record Cost(long flops, long bytes, long calls) {
        public static final Cost ZERO = new Cost(0, 0, 0);

        public Cost plus(Cost other) {
            return new Cost(flops + other.flops, bytes + other.bytes, calls + other.calls);
        }
    }

    /// Is shown every kernel call.
    @FunctionalInterface
    public interface KernelObserver {
        /// @param operands everything that the kernel reads or writes
        void called(String kernel, Cost cost, Tensor... operands);
    }

    private static final class PlanStorage extends Storage {
        PlanStorage(String name, long bytes) {
            super(name, bytes);
        }

        @Override protected void free() {
            // nothing behind it
        }
    }

    /// Shows every kernel call from now on to an observer, instead of the one so far.
    public void observe(KernelObserver by) {
        observer = by;
    }

    /// From now on reads as zeros what has no values, so that code which looks at scores on the host can be planned as well. What it costs must not depend on them.
    public void readZeros() {
        readsZeros = true;
    }

    /// False: there are no values behind its tensors, and nothing need be read for them.
    @Override public boolean computes() {
        return false;
    }

    @Override public String name() {
        return "plan";
    }

    /// Name of the backend that it plans for.
    public String standsFor() {
        return standsFor;
    }

    @Override public Memory memory() {
        return memory;
    }

    @Override public long workspaceBytes() {
        return workspaceBytes;
    }

    @Override public Precision precision() {
        return precision;
    }

    /// Costs since the start or the last {@link #resetCosts()}, by kernel name.
    public Map<String, Cost> costs() {
        return Collections.unmodifiableMap(costs);
    }

    /// The same costs by {@link Memory#path()} at the time of the call; a scope's own, without those of scopes inside it.
    public Map<String, Cost> costsByScope() {
        return Collections.unmodifiableMap(new TreeMap<>(costsByScope));
    }

    /// The sum of {@link #costs()}.
    public Cost totalCost() {
        return costs.values().stream().reduce(Cost.ZERO, Cost::plus);
    }

    /// Starts counting from zero; memory is untouched.
    public void resetCosts() {
        costs.clear();
        costsByScope.clear();
    }

    private void count(String kernel, long flops, Tensor... operands) {
        long bytes = 0;
        for (Tensor t : operands) {
            require(kernel, t);
            bytes += t.spec().bytes();
        }
        add(kernel, flops, bytes, operands);
    }

    private static void require(String kernel, Tensor t) {
        if (!(t.storage() instanceof PlanStorage)) {
            throw new IllegalArgumentException("plan: " + kernel + " takes tensors of this backend, got " + t + " of another");
        }
    }

    private void add(String kernel, long flops, long bytes, Tensor... operands) {
        Cost cost = new Cost(flops, bytes, 1);
        costs.merge(kernel, cost, Cost::plus);
        costsByScope.merge(memory.path(), cost, Cost::plus);
        observer.called(kernel, cost, operands);
    }

    @Override public void upload(MemorySegment source, Tensor target) {
        if (source.byteSize() != target.spec().bytes()) {
            throw new ShapeException("upload: " + target + " takes " + target.spec().bytes() + " bytes, got " + source.byteSize());
        }
        count("upload", 0, target);
    }

    /// @throws IllegalStateException as a plan has no values, unless it {@linkplain #readZeros() reads zeros}
    @Override public void download(Tensor source, MemorySegment target) {
        requireReadable(source);
        target.fill((byte) 0);
    }

    /// @throws IllegalStateException as a plan has no values, unless it {@linkplain #readZeros() reads zeros}
    @Override public Supplier<float[]> startToFloats(Tensor t) {
        requireReadable(t);
        return Backend.super.startToFloats(t);
    }

    private void requireReadable(Tensor t) {
        if (!readsZeros) {
            throw new IllegalStateException("plan: has no values to download, asked for those of " + t);
        }
    }

    @Override public void close() {
        memory.close();
    }

    // elementwise

    @Override public void unary(Unary f, Tensor x, Tensor y) {
        count("unary", y.elements(), x, y);
    }

    @Override public void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx) {
        count("unaryBackward", 2 * dx.elements(), x, dy, dx);
    }

    @Override public void binary(Binary f, Tensor a, Tensor b, Tensor y) {
        count("binary", y.elements(), a, b, y);
    }

    @Override public void linearCombination(double constant, double[] coefficients, Tensor[] xs, Tensor y) {
        count("linearCombination", 2L * xs.length * y.elements(), with(xs, y));
    }

    private static Tensor[] with(Tensor[] xs, Tensor y) {
        Tensor[] all = Arrays.copyOf(xs, xs.length + 1);
        all[xs.length] = y;
        return all;
    }

    @Override public void fill(Tensor y, double value) {
        count("fill", 0, y);
    }

    @Override public void convert(Tensor x, Tensor y) {
        count("convert", 0, x, y);
    }

    // reductions

    @Override public void sumTo(Tensor x, double scale, Tensor y) {
        count("sumTo", x.elements(), x, y);
    }

    @Override public void broadcastTo(Tensor x, double scale, Tensor y) {
        count("broadcastTo", y.elements(), x, y);
    }

    @Override public void globalNorm(List<Tensor> xs, Tensor y) {
        count("globalNorm", xs.stream().mapToLong(x -> 2 * x.elements()).sum(), with(xs.toArray(Tensor[]::new), y));
    }

    // matrix products

    @Override public void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        count("matmul", productFlops(a, transposeA, y), a, b, y);
    }

    @Override public void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        count("matmul", productFlops(a, transposeA, y), a, b, y, y);
    }

    private static long productFlops(Tensor a, boolean transposeA, Tensor y) {
        return 2 * y.elements() * a.dim(transposeA ? -2 : -1);
    }

    @Override public void linear(Tensor x, Tensor w, Tensor y) {
        count("linear", linearFlops(x, w), x, w, y);
    }

    @Override public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        count("linear", linearFlops(x, w) + y.elements(), x, w, bias, y);
    }

    @Override public void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        count("loraAcc", linearFlops(x, a) + xa.elements() + linearFlops(xa, b), x, a, b, xa, y, y);
    }

    private static long linearFlops(Tensor x, Tensor w) {
        return 2 * x.shape().rows() * w.elements();
    }

    // convolution

    @Override public void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        count("conv2d", convFlops(y, w), x, w, y);
    }

    @Override public void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        count("conv2d", convFlops(y, w) + y.elements(), x, w, bias, y);
    }

    @Override public void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        count("conv2dBackwardInput", convFlops(dy, w), dy, w, dx);
    }

    @Override public void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        count("conv2dBackwardWeight", convFlops(dy, dw), x, dy, dw);
    }

    /// Products with padding count as well: kernels differ in whether they skip them.
    private static long convFlops(Tensor y, Tensor w) {
        return 2 * y.shape().rows() * w.elements();
    }

    // attention

    @Override public void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        count("attention", attentionFlops(spec, q, k), q, k, v, y, logSumExp);
    }

    @Override public void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        count("attentionBackward", attentionBackwardFlops(spec, q, k), q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
    }

    /// As if no key were padding: how many are is not known here.
    @Override public void paddedAttention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp) {
        count("paddedAttention", attentionFlops(spec, q, k), q, k, v, lengths, y, logSumExp);
    }

    /// Likewise.
    @Override public void paddedAttentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        count("paddedAttentionBackward", attentionBackwardFlops(spec, q, k), q, k, v, lengths, y, logSumExp, dy, delta, dq, dk, dv);
    }

    private static long attentionFlops(AttentionSpec spec, Tensor q, Tensor k) {
        return pairs(spec, q, k) * (4L * q.dim(-1) + SOFTMAX_FLOPS * spec.heads());
    }

    /// Five products instead of two: the scores again, then the gradients of P, q, k and v.
    private static long attentionBackwardFlops(AttentionSpec spec, Tensor q, Tensor k) {
        return 2 * q.elements() + pairs(spec, q, k) * (10L * q.dim(-1) + SOFTMAX_BACKWARD_FLOPS * spec.heads());
    }

    /// Pairs of query and key in the whole batch, per head.
    private static long pairs(AttentionSpec spec, Tensor q, Tensor k) {
        long rows = q.dim(1);
        long keys = k.dim(1);
        if (!spec.causal()) {
            return q.dim(0) * rows * keys;
        }
        long triangle = Math.min(rows, keys);
        return q.dim(0) * (triangle * (triangle + 1) / 2 + (rows - triangle) * keys);
    }

    // norms

    @Override public void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        count("groupNorm", NORM_FLOPS * x.elements(), x, gamma, beta, y, mean, rstd);
    }

    @Override public void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        count("groupNormBackward", NORM_BACKWARD_FLOPS * x.elements(), x, gamma, mean, rstd, dy, dx);
    }

    @Override public void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        count("groupNormBackwardParameters", NORM_PARAMETER_FLOPS * x.elements(), x, mean, rstd, dy, dgamma, dbeta);
    }

    @Override public void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        count("groupNormSilu", (NORM_FLOPS + 1) * x.elements(), x, gamma, beta, y, mean, rstd);
    }

    @Override public void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        count("groupNormSiluBackward", SILU_BACKWARD_FLOPS * x.elements(), x, gamma, beta, mean, rstd, dy, dz);
    }

    @Override public void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        count("layerNorm", NORM_FLOPS * x.elements(), x, gamma, beta, y, mean, rstd);
    }

    @Override public void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        count("layerNormBackward", NORM_BACKWARD_FLOPS * x.elements(), x, gamma, mean, rstd, dy, dx);
    }

    @Override public void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        count("layerNormBackwardParameters", NORM_PARAMETER_FLOPS * x.elements(), x, mean, rstd, dy, dgamma, dbeta);
    }

    @Override public void softmax(Tensor x, Tensor y) {
        count("softmax", SOFTMAX_FLOPS * x.elements(), x, y);
    }

    @Override public void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        count("softmaxBackward", SOFTMAX_BACKWARD_FLOPS * y.elements(), y, dy, dx);
    }

    @Override public void geglu(Tensor x, Tensor y) {
        count("geglu", 2 * y.elements(), x, y);
    }

    @Override public void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        count("gegluBackward", GEGLU_BACKWARD_FLOPS * dy.elements(), x, dy, dx);
    }

    // shapes

    @Override public void permute(Tensor x, int[] axes, Tensor y) {
        count("permute", 0, x, y);
    }

    @Override public void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count) {
        require("copySlice", x);
        require("copySlice", y);
        add("copySlice", 0, 2 * x.spec().with(x.shape().with(axis, count)).bytes(), x, y);
    }

    @Override public void gatherRows(Tensor table, Tensor ids, Tensor y) {
        require("gatherRows", table);
        require("gatherRows", ids);
        require("gatherRows", y);
        add("gatherRows", 0, y.spec().with(table.dtype()).bytes() + ids.spec().bytes() + y.spec().bytes(), table, ids, y);
    }

    @Override public void scatterRows(Tensor dy, Tensor ids, Tensor dtable) {
        count("scatterRows", dy.elements(), dy, ids, dtable, dtable);
    }

    // images

    @Override public void upsampleNearest(int factor, Tensor x, Tensor y) {
        count("upsampleNearest", 0, x, y);
    }

    @Override public void upsampleNearestBackward(int factor, Tensor dy, Tensor dx) {
        count("upsampleNearestBackward", dy.elements(), dy, dx);
    }

    @Override public void resize(Resampling how, Tensor x, Tensor y) {
        count("resize", resizeFlops(how, x, y), x, y);
    }

    @Override public void resizeBackward(Resampling how, Tensor dy, Tensor dx) {
        count("resizeBackward", resizeFlops(how, dx, dy), dy, dx);
    }

    /// Columns first, then rows: a multiply-add per pixel under the filter in each pass.
    private static long resizeFlops(Resampling how, Tensor in, Tensor out) {
        long rowsKept = out.elements() / Math.max(1, out.dim(1)) * in.dim(1);
        return 2 * (rowsKept * taps(how, in.dim(2), out.dim(2)) + out.elements() * taps(how, in.dim(1), out.dim(1)));
    }

    private static long taps(Resampling how, int in, int out) {
        int width = how.filter() == Resampling.Filter.BILINEAR ? 2 : 4;
        return how.antialias() && in > out ? Math.ceilDiv(width * (long) in, (long) out) : width;
    }

    // optimiser

    @Override public void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v) {
        count("adamw", ADAMW_FLOPS * p.elements(), grad, gradientScale, p, p, m, m, v, v);
    }

    @Override public void normals(Tensor uniforms, Tensor y) {
        count("normals", NORMAL_FLOPS * y.elements(), uniforms, y);
    }

    @Override public void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        count("clipFactor", 3, norm, y);
    }
}
