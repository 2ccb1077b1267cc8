package dev.retrograd.benchmarks.libtorch;

import static dev.retrograd.benchmarks.libtorch.Torch.again;

import dev.retrograd.unet.UNetConfig;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/// The UNet of Stable Diffusion on libtorch's operators, for comparison. Images are `[B,C,H,W]` in the weights' memory format; every function is given its
/// activations away. Source: arXiv 2112.10752; names of weights: diffusers `UNet2DConditionModel`.
final class TorchUNet {
    private static final double TRANSFORMER_EPS = 1e-6;

    private final UNetConfig config;
    private final TorchWeights w;

    TorchUNet(UNetConfig config, TorchWeights weights) {
        this.config = config;
        w = weights;
    }

    /// @param latent `[B,C,H,W]`
    /// @param context `[B,M,D]`
    /// @param timestep of all images
    /// @return predicted noise
    Tensor forward(Tensor latent, Tensor context, int timestep) {
        int levels = config.levels();
        Tensor time = time(timestep);
        Tensor h = w.conv("conv_in", latent, 1);
        List<Tensor> skips = new ArrayList<>(List.of(again(h)));
        for (int level = 0; level < levels; level++) {
            String block = "down_blocks." + level;
            for (int i = 0; i < config.layersPerBlock(); i++) {
                h = layer(block, level, i, h, time, context);
                skips.add(again(h));
            }
            if (level < levels - 1) {
                h = w.conv(block + ".downsamplers.0.conv", h, 2);
                skips.add(again(h));
            }
        }
        h = resnet("mid_block.resnets.0", h, time);
        h = transformer("mid_block.attentions.0", levels - 1, h, context);
        h = resnet("mid_block.resnets.1", h, time);
        for (int up = 0; up < levels; up++) {
            int level = levels - 1 - up;
            String block = "up_blocks." + up;
            for (int i = 0; i <= config.layersPerBlock(); i++) {
                h = layer(block, level, i, Torch.concatenated(h, skips.removeLast(), 1), time, context);
            }
            if (level > 0) {
                h = w.conv(block + ".upsamplers.0.conv", Torch.upsampled(h), 1);
            }
        }
        time.close();
        context.close();
        return w.conv("conv_out", Torch.silu(w.groupNorm("conv_norm_out", h, config.groups(), config.eps())), 1);
    }

    private Tensor layer(String block, int level, int i, Tensor x, Tensor time, Tensor context) {
        Tensor h = resnet(block + ".resnets." + i, x, time);
        return config.crossAttention().get(level) ? transformer(block + ".attentions." + i, level, h, context) : h;
    }

    /// @return silu of the timestep's embedding, `[1,T]`
    private Tensor time(int timestep) {
        int width = config.channels().getFirst();
        int half = width / 2;
        float[] waves = new float[width];
        for (int i = 0; i < half; i++) {
            double angle = (float) timestep * (float) Math.exp(-Math.log(10_000) * i / (half - config.freqShift()));
            waves[i] = (float) (config.flipSinToCos() ? Math.cos(angle) : Math.sin(angle));
            waves[half + i] = (float) (config.flipSinToCos() ? Math.sin(angle) : Math.cos(angle));
        }
        Tensor h = Torch.silu(w.linear("time_embedding.linear_1", Torch.of(waves, 1, width)));
        return Torch.silu(w.linear("time_embedding.linear_2", h));
    }

    /// @param time kept by the caller
    Tensor resnet(String name, Tensor x, Tensor time) {
        Tensor h = w.conv(name + ".conv1", Torch.silu(w.groupNorm(name + ".norm1", again(x), config.groups(), config.eps())), 1);
        Tensor shift = w.linear(name + ".time_emb_proj", again(time));
        try (shift) {
            h = Torch.add(h, shift.view(shift.size(0), shift.size(1), 1, 1));
        }
        return residual(w, name, x, h, config.groups(), config.eps());
    }

    /// The second half of a residual block, and the way around it.
    static Tensor residual(TorchWeights w, String name, Tensor x, Tensor h, int groups, double eps) {
        Tensor y = w.conv(name + ".conv2", Torch.silu(w.groupNorm(name + ".norm2", h, groups, eps)), 1);
        return Torch.add(y, w.has(name + ".conv_shortcut.weight") ? w.conv(name + ".conv_shortcut", x, 1) : x);
    }

    /// @param context kept by the caller
    Tensor transformer(String name, int level, Tensor x, Tensor context) {
        long[] image = {x.size(0), x.size(1), x.size(2), x.size(3)};
        Tensor h = w.conv(name + ".proj_in", w.groupNorm(name + ".norm", again(x), config.groups(), TRANSFORMER_EPS), 1);
        h = pixelRows(h);
        int heads = config.heads().get(level);
        for (int i = 0; i < config.transformerLayers().get(level); i++) {
            String block = name + ".transformer_blocks." + i;
            Tensor n = w.layerNorm(block + ".norm1", again(h));
            h = Torch.add(h, attention(block + ".attn1", heads, again(n), n));
            n = w.layerNorm(block + ".norm2", again(h));
            h = Torch.add(h, attention(block + ".attn2", heads, n, again(context)));
            n = w.layerNorm(block + ".norm3", again(h));
            h = Torch.add(h, w.linear(block + ".ff.net.2", Torch.geglu(w.linear(block + ".ff.net.0.proj", n))));
        }
        try (Tensor rows = h) {
            h = Torch.laidOut(rows.permute(0, 2, 1).reshape(image), w.format());
        }
        return Torch.add(w.conv(name + ".proj_out", h, 1), x);
    }

    /// `[B,C,H,W]` to `[B,H·W,C]`.
    static Tensor pixelRows(Tensor x) {
        try (x) {
            return x.permute(0, 2, 3, 1).reshape(x.size(0), x.size(2) * x.size(3), x.size(1));
        }
    }

    private Tensor attention(String name, int heads, Tensor x, Tensor from) {
        Tensor q = heads(w.linear(name + ".to_q", x), heads);
        Tensor k = heads(w.linear(name + ".to_k", again(from)), heads);
        Tensor v = heads(w.linear(name + ".to_v", from), heads);
        return w.linear(name + ".to_out.0", rows(Torch.attention(q, k, v)));
    }

    /// `[B,N,C]` to `[B,heads,N,D]`.
    static Tensor heads(Tensor x, int heads) {
        try (x) {
            return x.view(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
        }
    }

    /// `[B,heads,N,D]` to `[B,N,C]`.
    static Tensor rows(Tensor y) {
        try (y) {
            return y.transpose(1, 2).reshape(y.size(0), y.size(2), y.size(1) * y.size(3));
        }
    }
}
