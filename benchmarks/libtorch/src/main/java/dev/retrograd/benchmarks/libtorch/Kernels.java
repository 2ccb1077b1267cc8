package dev.retrograd.benchmarks.libtorch;

import static dev.retrograd.benchmarks.libtorch.Torch.again;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// Kernels at the shapes that Stable Diffusion 1.5 has at 512×512, one image.
final class Kernels {
    private static final double TOLERANCE = 1e-4;
    private static final List<MemoryFormat> FORMATS = List.of(MemoryFormat.Contiguous, MemoryFormat.ChannelsLast);

    private final Backend backend;
    private final SplittableRandom random = new SplittableRandom(1);

    Kernels(Backend backend) {
        this.backend = backend;
    }

    /// A pair that is made when it is to be measured: its operands live only so long.
    record Case(String name, Supplier<Pair> maker) {
        Pair make() {
            return maker.get();
        }
    }

    List<Case> all() {
        List<Case> all = new ArrayList<>();
        int[][] products = {{1024, 1024, 1024}, {2048, 2048, 2048}, {4096, 320, 320}, {4096, 2560, 320}, {4096, 320, 1280}, {1024, 640, 5760}, {256, 1280, 11520}, {77, 768, 3072}};
        for (int[] p : products) {
            String name = "matmul %dx%dx%d".formatted(p[0], p[1], p[2]);
            all.add(new Case(name, () -> matmul(name, p[0], p[1], p[2])));
        }
        int[][] convolutions = {{64, 320, 320, 3, 1}, {32, 640, 640, 3, 1}, {16, 1280, 1280, 3, 1}, {64, 320, 320, 3, 2}, {64, 960, 320, 3, 1}};
        for (int[] c : convolutions) {
            for (boolean back : List.of(false, true)) {
                String name = "conv%s %d²x%d->%d %dx%d/%d".formatted(back ? " dx" : "", c[0], c[1], c[2], c[3], c[3], c[4]);
                all.add(new Case(name, () -> conv(name, back, c[0], c[1], c[2], c[3], c[4])));
            }
        }
        int[][] attentions = {{4096, 4096, 40}, {1024, 1024, 80}, {256, 256, 160}, {4096, 77, 40}, {1024, 77, 80}};
        for (int[] a : attentions) {
            for (boolean back : List.of(false, true)) {
                String name = "attention%s 8x%dx%d, %d".formatted(back ? " backward" : "", a[0], a[1], a[2]);
                all.add(new Case(name, () -> attention(name, back, a[0], a[1], a[2])));
            }
        }
        int[][] norms = {{64, 320}, {32, 640}, {16, 1280}};
        for (int[] n : norms) {
            for (boolean back : List.of(false, true)) {
                String name = "groupnorm+silu%s %d²x%d".formatted(back ? " backward" : "", n[0], n[1]);
                all.add(new Case(name, () -> groupNormSilu(name, back, n[0], n[1])));
            }
        }
        return all;
    }

    private float[] values(long n) {
        float[] values = new float[Math.toIntExact(n)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return values;
    }

    private Tensor ours(float[] values, int... shape) {
        return backend.floats("operand", Shape.of(shape), values);
    }

    private static Runnable scoped(Runnable body) {
        return () -> {
            try (PointerScope _ = new PointerScope()) {
                body.run();
            }
        };
    }

    /// A linear layer, `y = x·wᵀ`.
    private Pair matmul(String name, int m, int n, int k) {
        float[] xs = values((long) m * k);
        float[] ws = values((long) n * k);
        Tensor x = ours(xs, m, k);
        Tensor w = ours(ws, n, k);
        Tensor y = backend.empty("y", x.spec().with(Shape.of(m, n)));
        var tx = Torch.of(xs, m, k);
        var tw = Torch.of(ws, n, k);
        backend.linear(x, w, y);
        Pair.requireAgreement(name, backend.toFloats(y), Torch.floats(torch.linear(tx, tw)), TOLERANCE);
        return new Pair(name, 2.0 * m * n * k, () -> backend.linear(x, w, y),
                List.of(new Pair.Way("rows", scoped(() -> torch.linear(tx, tw)))));
    }

    private Pair conv(String name, boolean inputGradient, int size, int in, int out, int kernel, int stride) {
        ConvSpec spec = ConvSpec.square(kernel, stride, kernel / 2);
        int half = spec.outHeight(size);
        float[] xs = values((long) size * size * in);
        float[] ws = values((long) out * in * kernel * kernel);
        float[] dys = values((long) half * half * out);
        Tensor x = ours(xs, 1, size, size, in);
        Tensor w = ours(ws, out, kernel, kernel, in);
        Tensor dy = ours(dys, 1, half, half, out);
        Tensor y = inputGradient ? x : dy;
        Tensor result = backend.empty("result", y.spec());
        Runnable mine = inputGradient ? () -> backend.conv2dBackwardInput(spec, dy, w, result) : () -> backend.conv2d(spec, x, w, result);
        mine.run();
        List<Pair.Way> ways = new ArrayList<>();
        for (MemoryFormat format : FORMATS) {
            var tx = channelsFirst(xs, size, in, format);
            var tdy = channelsFirst(dys, half, out, format);
            var tw = Torch.laidOut(Torch.of(ws, out, kernel, kernel, in).permute(0, 3, 1, 2), format);
            TensorOptional none = new TensorOptional();
            var first = inputGradient ? Torch.convolutionInputGradient(tdy, tx, tw, stride, kernel / 2) : Torch.conv2d(again(tx), tw, none, stride, kernel / 2);
            Pair.requireAgreement(name, backend.toFloats(result), Torch.floats(first.permute(0, 2, 3, 1)), TOLERANCE);
            ways.add(new Pair.Way(name(format), inputGradient ? scoped(() -> Torch.convolutionInputGradient(tdy, tx, tw, stride, kernel / 2))
                    : scoped(() -> Torch.conv2d(again(tx), tw, none, stride, kernel / 2))));
        }
        return new Pair(name, 2.0 * half * half * out * in * kernel * kernel, mine, ways);
    }

    static String name(MemoryFormat format) {
        return format == MemoryFormat.ChannelsLast ? "NHWC" : "NCHW";
    }

    private static org.bytedeco.pytorch.Tensor channelsFirst(float[] rows, int size, int channels, MemoryFormat format) {
        return Torch.laidOut(Torch.of(rows, 1, size, size, channels).permute(0, 3, 1, 2), format);
    }

    private Pair attention(String name, boolean backward, int n, int m, int width) {
        int heads = 8;
        int c = heads * width;
        float[] qs = values((long) n * c);
        float[] ks = values((long) m * c);
        float[] vs = values((long) m * c);
        float[] dys = values((long) n * c);
        AttentionSpec spec = new AttentionSpec(heads, 1 / Math.sqrt(width), false);
        Tensor q = ours(qs, 1, n, c);
        Tensor k = ours(ks, 1, m, c);
        Tensor v = ours(vs, 1, m, c);
        Tensor dy = ours(dys, 1, n, c);
        Tensor y = backend.empty("y", q.spec());
        Tensor logSumExp = backend.empty("logSumExp", q.spec().with(Shape.of(1, heads, n)));
        Tensor delta = backend.empty("delta", logSumExp.spec());
        Tensor dq = backend.empty("dq", q.spec());
        Tensor dk = backend.empty("dk", k.spec());
        Tensor dv = backend.empty("dv", v.spec());
        backend.attention(spec, q, k, v, y, logSumExp);
        var tq = Torch.of(qs, 1, n, c).requires_grad_(backward);
        var tk = Torch.of(ks, 1, m, c).requires_grad_(backward);
        var tv = Torch.of(vs, 1, m, c).requires_grad_(backward);
        var tdy = Torch.of(dys, 1, n, c);
        var ty = torchAttention(tq, tk, tv, heads);
        Pair.requireAgreement(name, backend.toFloats(y), Torch.floats(ty), TOLERANCE);
        Runnable mine = () -> backend.attention(spec, q, k, v, y, logSumExp);
        Runnable theirs = () -> torchAttention(tq, tk, tv, heads);
        if (backward) {
            mine = () -> backend.attentionBackward(spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
            mine.run();
            TensorVector g = Torch.gradients(true, ty, tdy, tq, tk, tv);
            Pair.requireAgreement("attention dq", backend.toFloats(dq), Torch.floats(g.get(0)), 10 * TOLERANCE);
            Pair.requireAgreement("attention dk", backend.toFloats(dk), Torch.floats(g.get(1)), 10 * TOLERANCE);
            Pair.requireAgreement("attention dv", backend.toFloats(dv), Torch.floats(g.get(2)), 10 * TOLERANCE);
            theirs = () -> Torch.gradients(true, ty, tdy, tq, tk, tv);
        }
        double flop = (backward ? 10.0 : 4.0) * n * m * c;
        return new Pair(name, flop, mine, List.of(new Pair.Way("rows", scoped(theirs))));
    }

    private static org.bytedeco.pytorch.Tensor torchAttention(org.bytedeco.pytorch.Tensor q, org.bytedeco.pytorch.Tensor k, org.bytedeco.pytorch.Tensor v, int heads) {
        var y = Torch.attention(TorchUNet.heads(again(q), heads), TorchUNet.heads(again(k), heads), TorchUNet.heads(again(v), heads));
        return TorchUNet.rows(y);
    }

    private Pair groupNormSilu(String name, boolean backward, int size, int channels) {
        int groups = 32;
        double eps = 1e-5;
        float[] xs = values((long) size * size * channels);
        float[] dys = values(xs.length);
        float[] gammas = values(channels);
        float[] betas = values(channels);
        Tensor x = ours(xs, 1, size, size, channels);
        Tensor dy = ours(dys, 1, size, size, channels);
        Tensor gamma = ours(gammas, channels);
        Tensor beta = ours(betas, channels);
        Tensor y = backend.empty("y", x.spec());
        Tensor dx = backend.empty("dx", x.spec());
        Tensor mean = backend.empty("mean", x.spec().with(Shape.of(1, groups)));
        Tensor rstd = backend.empty("rstd", mean.spec());
        Runnable forward = () -> backend.groupNormSilu(groups, eps, x, gamma, beta, y, mean, rstd);
        forward.run();
        Runnable mine = backward ? () -> backend.groupNormSiluBackwardInput(x, gamma, beta, mean, rstd, dy, dx) : forward;
        mine.run();
        TensorOptional tgamma = new TensorOptional(Torch.of(gammas, channels));
        TensorOptional tbeta = new TensorOptional(Torch.of(betas, channels));
        List<Pair.Way> ways = new ArrayList<>();
        for (MemoryFormat format : FORMATS) {
            var tx = channelsFirst(xs, size, channels, format).requires_grad_(backward);
            var tdy = channelsFirst(dys, size, channels, format);
            var ty = Torch.silu(Torch.groupNorm(again(tx), groups, tgamma, tbeta, eps));
            Pair.requireAgreement(name, backend.toFloats(y), Torch.floats(ty.permute(0, 2, 3, 1)), TOLERANCE);
            if (backward) {
                Pair.requireAgreement("groupNormSilu dx", backend.toFloats(dx), Torch.floats(Torch.gradients(true, ty, tdy, tx).get(0).permute(0, 2, 3, 1)), 10 * TOLERANCE);
            }
            ways.add(new Pair.Way(name(format), backward ? scoped(() -> Torch.gradients(true, ty, tdy, tx))
                    : scoped(() -> Torch.silu(Torch.groupNorm(again(tx), groups, tgamma, tbeta, eps)))));
        }
        return new Pair(name, 0, mine, ways);
    }
}
