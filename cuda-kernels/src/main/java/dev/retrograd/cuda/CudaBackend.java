package dev.retrograd.cuda;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Attention;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.BackendOptions.Tiles;
import dev.retrograd.core.Binary;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.GraphUse;
import dev.retrograd.core.Memory;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.cuda.Providers.Libraries;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/// An NVIDIA GPU: tensors in its memory, kernels from the PTX in this jar on one stream, copies from and to the host beside them on another.
///
/// Its methods hand on to one class per kernel family. Sums run in a fixed order: equal inputs give equal bits on one type of device.
public final class CudaBackend implements Backend {
    private final CudaDriver driver;
    private final Precision precision;
    private final CudaDriver.Stream stream;
    private final String name;
    private final DevicePool pool;
    private final Transfers transfers;
    private final Launcher launcher;
    private final ElementwiseKernels elementwise;
    private final ReductionKernels reductions;
    private final TensorCores cores;
    private final Providers providers;
    private final MatrixKernels matrices;
    private final ConvolutionKernels convolutions;
    private final AttentionKernels attention;
    private final NormKernels norms;
    private final ShapeKernels shapes;
    private final ImageKernels images;
    private final OptimizerKernels optimizers;
    private final RandomKernels random;

    /// @param driver closed with the backend
    public static CudaBackend open(CudaDriver driver, BackendOptions options) {
        return open(driver, options, Libraries.of(driver, options));
    }

    static CudaBackend open(CudaDriver below, BackendOptions options, Libraries libraries) {
        if (options.products() == Products.HOPPER) {
            Requirements.hopper(below.device(), "--gemm");
        }
        if (options.convolutions() == Convolutions.HOPPER) {
            Requirements.hopper(below.device(), "--conv");
        }
        if (options.attention() == Attention.HOPPER) {
            Requirements.hopper(below.device(), "--attention");
        }
        CudaDriver driver = options.graphs() ? new GraphingDriver(below, options.notices()) : below;
        CudaDriver.Stream stream = driver.createStream();
        Precision precision = options.precision().orElse(CudaProvider.PRECISIONS.getFirst());
        KernelChoices choices = new KernelChoices(Requirements.describe(driver.device()), PtxText::stamps, options.choices(), options.cache(), options.notices());
        boolean measures = options.tiles() == Tiles.MEASURED || options.tiles() == Tiles.AUTO && TileSpeeds.known(driver.device().computeCapability()).isEmpty();
        return new CudaBackend(driver, stream, precision, Providers.of(driver, stream, precision, options, libraries, choices), measures ? Optional.of(choices) : Optional.empty());
    }

    /// Without CUDA graphs and other libraries, tiles from the table.
    ///
    /// @param driver closed with the backend
    public CudaBackend(CudaDriver driver, Precision precision) {
        this(driver, driver.createStream(), precision, Providers.NONE, Optional.empty());
    }

    private CudaBackend(CudaDriver driver, CudaDriver.Stream stream, Precision precision, Providers providers, Optional<KernelChoices> tiles) {
        this.driver = driver;
        this.stream = stream;
        this.precision = precision;
        this.providers = providers;
        name = "cuda:" + driver.device().ordinal();
        pool = new DevicePool(name, driver, stream, precision);
        transfers = new Transfers(driver, stream);
        launcher = new Launcher(driver, stream);
        elementwise = new ElementwiseKernels(launcher);
        reductions = new ReductionKernels(launcher, driver, stream);
        cores = new TensorCores(launcher, driver, stream, precision, tiles);
        HopperProducts hopper = new HopperProducts(cores, driver);
        matrices = new MatrixKernels(launcher, cores, providers.hopperProducts() ? Optional.of(hopper) : Optional.empty(), providers.cublas(), providers.products());
        convolutions = new ConvolutionKernels(launcher, cores, providers.hopperConvolutions() ? Optional.of(new HopperConvolutions(cores, driver, hopper)) : Optional.empty(), providers.cudnn(),
                providers.convolutions());
        attention = new AttentionKernels(launcher, providers.hopperAttention() ? Optional.of(new HopperAttention(launcher, driver)) : Optional.empty(), providers.attention());
        norms = new NormKernels(launcher, driver);
        shapes = new ShapeKernels(launcher);
        images = new ImageKernels(launcher);
        optimizers = new OptimizerKernels(launcher, driver, stream);
        random = new RandomKernels(launcher);
    }

    @Override public String name() {
        return name;
    }

    @Override public Memory memory() {
        return pool.memory();
    }

    @Override public Precision precision() {
        return precision;
    }

    @Override public long workspaceBytes() {
        return ReductionKernels.workspaceBytes() + NormKernels.workspaceBytes() + OptimizerKernels.workspaceBytes() + cores.workspaceBytes() + Transfers.workspaceBytes()
                + providers.workspaceBytes();
    }

    @Override public Optional<GraphUse> graphs() {
        return driver instanceof GraphingDriver graphing ? Optional.of(graphing.use()) : Optional.empty();
    }

    @Override public long reservedBytes() {
        return pool.reservedBytes();
    }

    @Override public void upload(MemorySegment source, Tensor target) {
        transfers.upload(source, target);
    }

    @Override public void download(Tensor source, MemorySegment target) {
        transfers.download(source, target).run();
    }

    @Override public Runnable startDownload(Tensor source, MemorySegment target) {
        return transfers.download(source, target);
    }

    @Override public long launches() {
        return launcher.launches();
    }

    @Override public void synchronize() {
        driver.synchronize(stream);
    }

    @Override public void close() {
        synchronize();
        providers.close();
        cores.close();
        reductions.close();
        norms.close();
        optimizers.close();
        transfers.close();
        pool.close();
        driver.close();
    }

    @Override public void unary(Unary f, Tensor x, Tensor y) {
        elementwise.unary(f, x, y);
    }

    @Override public void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx) {
        elementwise.unaryBackward(f, x, dy, dx);
    }

    @Override public void binary(Binary f, Tensor a, Tensor b, Tensor y) {
        elementwise.binary(f, a, b, y);
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
        reductions.sumTo(x, scale, y);
    }

    @Override public void broadcastTo(Tensor x, double scale, Tensor y) {
        reductions.broadcastTo(x, scale, y);
    }

    @Override public void globalNorm(List<Tensor> xs, Tensor y) {
        reductions.globalNorm(xs, y);
    }

    @Override public void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        matrices.matmul(a, transposeA, b, transposeB, y);
    }

    @Override public void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        matrices.matmulAcc(a, transposeA, b, transposeB, y);
    }

    @Override public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        matrices.linear(x, w, bias, y);
    }

    @Override public void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        matrices.loraAcc(x, a, b, scale, xa, y);
    }

    @Override public void linearActivated(Tensor x, Tensor w, Tensor bias, Unary f, Tensor y) {
        if ((f.kind() == Unary.Kind.SILU || f.kind() == Unary.Kind.GELU) && matrices.fusesLinear(x, w, y)) {
            matrices.linearActivated(x, w, bias, f, y);
        } else {
            Backend.super.linearActivated(x, w, bias, f, y);
        }
    }

    @Override public void linearResidual(Tensor x, Tensor w, Tensor bias, Tensor residual, Tensor y) {
        if (matrices.fusesLinear(x, w, y)) {
            matrices.linearResidual(x, w, bias, residual, y);
        } else {
            Backend.super.linearResidual(x, w, bias, residual, y);
        }
    }

    @Override public void linearGeglu(Tensor x, Tensor w, Tensor bias, Tensor hidden, Tensor y) {
        if (matrices.fusesLinear(x, w, y)) {
            matrices.linearGeglu(x, w, bias, hidden, y);
        } else {
            Backend.super.linearGeglu(x, w, bias, hidden, y);
        }
    }

    @Override public void loraLinear(Tensor x, Tensor w, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        if (matrices.fusesLora(x, w, a, b, y)) {
            matrices.loraLinear(x, w, 0, a, b, scale, xa, y);
        } else {
            Backend.super.loraLinear(x, w, a, b, scale, xa, y);
        }
    }

    @Override public void loraLinear(Tensor x, Tensor w, Tensor bias, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        if (matrices.fusesLora(x, w, a, b, y)) {
            matrices.loraLinear(x, w, bias, a, b, scale, xa, y);
        } else {
            Backend.super.loraLinear(x, w, bias, a, b, scale, xa, y);
        }
    }

    @Override public void loraLinearBackwardInput(Tensor dy, Tensor w, Tensor a, Tensor b, double scale, Tensor dxa, Tensor dx) {
        if (matrices.fusesLora(dy, w, a, b, dx)) {
            matrices.loraLinearBackwardInput(dy, w, a, b, scale, dxa, dx);
        } else {
            Backend.super.loraLinearBackwardInput(dy, w, a, b, scale, dxa, dx);
        }
    }

    @Override public void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        convolutions.conv2d(spec, x, w, y);
    }

    @Override public void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        convolutions.conv2d(spec, x, w, bias, y);
    }

    @Override public void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        convolutions.conv2dBackwardInput(spec, dy, w, dx);
    }

    @Override public void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        convolutions.conv2dBackwardWeight(spec, x, dy, dw);
    }

    @Override public void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        attention.attention(spec, q, k, v, 0, y, logSumExp);
    }

    @Override public void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        attention.attentionBackward(spec, q, k, v, 0, y, logSumExp, dy, delta, dq, dk, dv);
    }

    @Override public void paddedAttention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp) {
        attention.attention(spec, q, k, v, AttentionKernels.lengths("paddedAttention", lengths, k), y, logSumExp);
    }

    @Override public void paddedAttentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        attention.attentionBackward(spec, q, k, v, AttentionKernels.lengths("paddedAttentionBackward", lengths, k), y, logSumExp, dy, delta, dq, dk, dv);
    }

    @Override public void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        norms.groupNorm(groups, eps, x, gamma, beta, y, mean, rstd);
    }

    @Override public void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        norms.groupNormBackward(x, gamma, mean, rstd, dy, dx);
    }

    @Override public void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        norms.groupNormBackwardParameters(x, mean, rstd, dy, dgamma, dbeta);
    }

    @Override public void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        norms.groupNormSilu(groups, eps, x, gamma, beta, y, mean, rstd);
    }

    @Override public void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        norms.groupNormSiluBackward(x, gamma, beta, mean, rstd, dy, dz);
    }

    @Override public void groupNormSiluBackwardInput(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        norms.groupNormSiluBackwardInput(x, gamma, beta, mean, rstd, dy, dx);
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
        shapes.permute(x, axes, y);
    }

    @Override public void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count) {
        shapes.copySlice(x, axis, xStart, y, yStart, count);
    }

    @Override public void gatherRows(Tensor table, Tensor ids, Tensor y) {
        shapes.gatherRows(table, ids, y);
    }

    @Override public void scatterRows(Tensor dy, Tensor ids, Tensor dtable) {
        shapes.scatterRows(dy, ids, dtable);
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
        optimizers.adamw(step, gradientScale, List.of(new AdamWWeight(grad, p, m, v)));
    }

    @Override public void adamw(AdamWStep step, Tensor gradientScale, List<AdamWWeight> weights) {
        optimizers.adamw(step, gradientScale, weights);
    }

    @Override public void average(double decay, List<Tensor> averages, List<Tensor> values) {
        optimizers.average(decay, averages, values);
    }

    @Override public void normals(Tensor uniforms, Tensor y) {
        random.normals(uniforms, y);
    }

    @Override public void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        optimizers.clipFactor(norm, maxNorm, y);
    }
}
