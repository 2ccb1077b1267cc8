package dev.retrograd.benchmarks.libtorch;

import static dev.retrograd.benchmarks.libtorch.Torch.again;

import dev.retrograd.unet.vae.VaeConfig;
import org.bytedeco.pytorch.Tensor;

/// The decoder of the autoencoder on libtorch's operators, for comparison. Names of weights: diffusers `AutoencoderKL`.
final class TorchDecoder {
    private static final double EPS = 1e-6;

    private final VaeConfig config;
    private final TorchWeights w;

    TorchDecoder(VaeConfig config, TorchWeights weights) {
        this.config = config;
        w = weights;
    }

    /// @param z `[B,C,h,w]`, already divided by the scaling factor; given away
    /// @return image `[B,3,8h,8w]`
    Tensor forward(Tensor z) {
        Tensor h = w.conv("decoder.conv_in", w.conv("post_quant_conv", z, 1), 1);
        h = resnet("decoder.mid_block.resnets.0", h);
        h = attention("decoder.mid_block.attentions.0", h);
        h = resnet("decoder.mid_block.resnets.1", h);
        int levels = config.channels().size();
        for (int i = 0; i < levels; i++) {
            String block = "decoder.up_blocks." + i;
            for (int j = 0; j <= config.layersPerBlock(); j++) {
                h = resnet(block + ".resnets." + j, h);
            }
            if (i < levels - 1) {
                h = w.conv(block + ".upsamplers.0.conv", Torch.upsampled(h), 1);
            }
        }
        return w.conv("decoder.conv_out", Torch.silu(w.groupNorm("decoder.conv_norm_out", h, config.groups(), EPS)), 1);
    }

    private Tensor resnet(String name, Tensor x) {
        Tensor h = w.conv(name + ".conv1", Torch.silu(w.groupNorm(name + ".norm1", again(x), config.groups(), EPS)), 1);
        return TorchUNet.residual(w, name, x, h, config.groups(), EPS);
    }

    private Tensor attention(String name, Tensor x) {
        long[] image = {x.size(0), x.size(1), x.size(2), x.size(3)};
        Tensor n = TorchUNet.pixelRows(w.groupNorm(name + ".group_norm", again(x), config.groups(), EPS));
        Tensor q = TorchUNet.heads(projected(name, "to_q", "query", again(n)), 1);
        Tensor k = TorchUNet.heads(projected(name, "to_k", "key", again(n)), 1);
        Tensor v = TorchUNet.heads(projected(name, "to_v", "value", n), 1);
        Tensor h = projected(name, "to_out.0", "proj_attn", TorchUNet.rows(Torch.attention(q, k, v)));
        try (h) {
            return Torch.laidOut(Torch.add(h.permute(0, 2, 1).reshape(image), x), w.format());
        }
    }

    private Tensor projected(String name, String module, String original, Tensor x) {
        return w.linear(name + "." + (w.has(name + "." + original + ".weight") ? original : module), x);
    }
}
