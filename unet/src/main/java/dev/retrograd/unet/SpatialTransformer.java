package dev.retrograd.unet;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Transformer blocks over an image's pixels, between two projections, added back to the image; a segment. Parity: diffusers `Transformer2DModel`.
///
/// Channels last, a 1×1 convolution *is* a linear layer: both forms of the projections are one here.
public final class SpatialTransformer {
    private static final double EPS = 1e-6;

    private final String name;
    private final GroupNorm norm;
    private final Linear projIn;
    private final List<TransformerBlock> blocks = new ArrayList<>();
    private final Linear projOut;

    /// @param channels of the image, shared out over the heads
    /// @param layers transformer blocks
    public SpatialTransformer(Weights w, int channels, int heads, int layers, UNetConfig config) throws IOException {
        name = w.path();
        norm = GroupNorm.load(w.in("norm"), config.groups(), EPS, channels);
        projIn = projection(w.in("proj_in"), channels, config);
        for (int i = 0; i < layers; i++) {
            blocks.add(new TransformerBlock(w.in("transformer_blocks." + i), channels, heads, config.contextChannels()));
        }
        projOut = projection(w.in("proj_out"), channels, config);
    }

    private static Linear projection(Weights w, int channels, UNetConfig config) throws IOException {
        return config.linearProjection() ? Linear.load(w, channels, channels, true) : Linear.pointwise(w, channels, channels);
    }

    /// @param x `[B,H,W,C]`
    /// @param context text embedding, `[B,M,D]`
    public Var forward(Var x, Var context) {
        int[] image = x.shape().toArray();
        return x.tape().segment1(name, in -> {
            Var h = projIn.forward(norm.forward(in[0]).reshape(image[0], image[1] * image[2], image[3]));
            for (TransformerBlock block : blocks) {
                h = block.forward(h, in[1]);
            }
            return projOut.forward(h).reshape(image).plus(in[0]);
        }, x, context);
    }

    /// Every linear layer, in the order of the forward pass.
    public List<Linear> linears() {
        List<Linear> all = new ArrayList<>(List.of(projIn));
        blocks.forEach(b -> all.addAll(b.linears()));
        all.add(projOut);
        return all;
    }
}
