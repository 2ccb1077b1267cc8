package dev.retrograd.unet.vae;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.MultiHeadAttention;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.unet.ResnetBlock;
import java.io.IOException;
import java.util.Optional;

/// Residual block, single-head self-attention over all pixels, residual block. Parity: diffusers `UNetMidBlock2D` as `AutoencoderKL` uses it.
final class VaeMidBlock {
    static final double EPS = 1e-6;

    private final ResnetBlock first;
    private final GroupNorm norm;
    private final MultiHeadAttention attention;
    private final ResnetBlock second;

    VaeMidBlock(Weights w, int channels, int groups) throws IOException {
        first = new ResnetBlock(w.in("resnets.0"), channels, channels, Optional.empty(), groups, EPS);
        Weights a = w.in("attentions.0");
        norm = GroupNorm.load(a.in("group_norm"), groups, EPS, channels);
        attention = new MultiHeadAttention(1, false, projection(a, "to_q", "query", channels), projection(a, "to_k", "key", channels),
                projection(a, "to_v", "value", channels), projection(a, "to_out.0", "proj_attn", channels));
        second = new ResnetBlock(w.in("resnets.1"), channels, channels, Optional.empty(), groups, EPS);
    }

    /// The original SD1.5 file says `query` where diffusers 0.18 and later say `to_q`; LDM files store 1×1 kernels.
    private static Linear projection(Weights w, String name, String original, int channels) throws IOException {
        return Linear.pointwise(w.in(w.has(original + ".weight") ? original : name), channels, channels);
    }

    /// @param x `[B,H,W,C]`, unchanged in shape
    Var forward(Var x) {
        Var h = first.forward(x);
        int[] image = h.shape().toArray();
        Var n = norm.forward(h).reshape(image[0], image[1] * image[2], image[3]);
        return second.forward(attention.forward(n, n).reshape(image).plus(h));
    }
}
