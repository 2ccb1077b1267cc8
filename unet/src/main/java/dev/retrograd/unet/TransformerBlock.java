package dev.retrograd.unet;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.LayerNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.MultiHeadAttention;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.Geglu;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;

/// Self-attention, cross-attention to the text, and a gated feed-forward layer, each normalised first and added back. Parity: diffusers `BasicTransformerBlock`.
final class TransformerBlock {
    private static final double EPS = 1e-5;
    private static final int FEED_FORWARD_FACTOR = 4;

    private final String name;
    private final LayerNorm norm1;
    private final MultiHeadAttention attn1;
    private final LayerNorm norm2;
    private final MultiHeadAttention attn2;
    private final LayerNorm norm3;
    private final Linear feedForwardIn;
    private final Linear feedForwardOut;

    TransformerBlock(Weights w, int channels, int heads, int contextChannels) throws IOException {
        name = w.path();
        int hidden = channels * FEED_FORWARD_FACTOR;
        norm1 = LayerNorm.load(w.in("norm1"), EPS, channels);
        attn1 = attention(w.in("attn1"), channels, heads, channels);
        norm2 = LayerNorm.load(w.in("norm2"), EPS, channels);
        attn2 = attention(w.in("attn2"), channels, heads, contextChannels);
        norm3 = LayerNorm.load(w.in("norm3"), EPS, channels);
        feedForwardIn = Linear.load(w.in("ff.net.0.proj"), channels, 2 * hidden, true);
        feedForwardOut = Linear.load(w.in("ff.net.2"), hidden, channels, true);
    }

    private static MultiHeadAttention attention(Weights w, int channels, int heads, int contextChannels) throws IOException {
        return new MultiHeadAttention(heads, false, Linear.load(w.in("to_q"), channels, channels, false),
                Linear.load(w.in("to_k"), contextChannels, channels, false), Linear.load(w.in("to_v"), contextChannels, channels, false),
                Linear.load(w.in("to_out.0"), channels, channels, true));
    }

    /// @param x `[B,N,C]`
    /// @param context text embedding, `[B,M,D]`
    Var forward(Var x, Var context) {
        Var n = norm1.forward(x);
        Var h = x.plus(attn1.forward(n, n));
        h = h.plus(attn2.forward(norm2.forward(h), context));
        return x.tape().named(name, h.plus(feedForwardOut.forward(feedForwardIn.forward(norm3.forward(h)).apply(new Geglu()))));
    }

    List<Linear> linears() {
        return Stream.of(attn1.linears(), attn2.linears(), List.of(feedForwardIn, feedForwardOut)).flatMap(List::stream).toList();
    }
}
