package dev.retrograd.unet.text;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.LayerNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.MultiHeadAttention;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Unary;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;

/// One pre-norm transformer layer of CLIP, text (causal) or vision. Parity: transformers `CLIPEncoderLayer`.
public final class ClipLayer {
    private final LayerNorm norm1;
    private final MultiHeadAttention attention;
    private final LayerNorm norm2;
    private final Linear fc1;
    private final Unary activation;
    private final Linear fc2;

    /// @param w weights by transformers' names, e.g. `self_attn.q_proj.weight`
    public ClipLayer(Weights w, int width, int heads, int feedForward, double eps, Unary activation, boolean causal) throws IOException {
        norm1 = LayerNorm.load(w.in("layer_norm1"), eps, width);
        Weights a = w.in("self_attn");
        attention = new MultiHeadAttention(heads, causal, Linear.load(a.in("q_proj"), width, width, true), Linear.load(a.in("k_proj"), width, width, true),
                Linear.load(a.in("v_proj"), width, width, true), Linear.load(a.in("out_proj"), width, width, true));
        norm2 = LayerNorm.load(w.in("layer_norm2"), eps, width);
        fc1 = Linear.load(w.in("mlp.fc1"), width, feedForward, true);
        this.activation = activation;
        fc2 = Linear.load(w.in("mlp.fc2"), feedForward, width, true);
    }

    /// @param x `[B,N,width]`, unchanged in shape
    public Var forward(Var x) {
        Var n = norm1.forward(x);
        Var h = x.plus(attention.forward(n, n));
        return h.plus(fc2.forward(fc1.forward(norm2.forward(h)).apply(activation)));
    }

    /// Every linear layer, in the order of the forward pass.
    List<Linear> linears() {
        return Stream.concat(attention.linears().stream(), Stream.of(fc1, fc2)).toList();
    }
}
