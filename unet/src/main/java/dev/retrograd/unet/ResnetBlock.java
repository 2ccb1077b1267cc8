package dev.retrograd.unet;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.ConvSpec;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Residual block, `x + conv2(silu(norm2(conv1(silu(norm1(x))) + time)))`, with a 1×1 shortcut where the width changes.
///
/// Shared by the UNet (with time) and the VAE (without). A segment: even where all is stored, what backward does not read dies at its end, which
/// at 512×512 halves the memory of a decoder level. Parity: diffusers `ResnetBlock2D`.
public final class ResnetBlock {
    private static final ConvSpec CONV_3X3 = ConvSpec.square(3, 1, 1);
    private static final ConvSpec CONV_1X1 = ConvSpec.square(1, 1, 0);

    private final String name;
    private final GroupNorm norm1;
    private final Conv2d conv1;
    private final Optional<Linear> timeProjection;
    private final GroupNorm norm2;
    private final Conv2d conv2;
    private final Optional<Conv2d> shortcut;

    /// @param timeChannels width of the timestep embedding; empty in a VAE
    public ResnetBlock(Weights w, int in, int out, Optional<Integer> timeChannels, int groups, double eps) throws IOException {
        name = w.path();
        norm1 = GroupNorm.load(w.in("norm1"), groups, eps, in);
        conv1 = Conv2d.load(w.in("conv1"), in, out, CONV_3X3);
        timeProjection = timeChannels.isPresent() ? Optional.of(Linear.load(w.in("time_emb_proj"), timeChannels.get(), out, true)) : Optional.empty();
        norm2 = GroupNorm.load(w.in("norm2"), groups, eps, out);
        conv2 = Conv2d.load(w.in("conv2"), out, out, CONV_3X3);
        shortcut = in == out ? Optional.empty() : Optional.of(Conv2d.load(w.in("conv_shortcut"), in, out, CONV_1X1));
    }

    Optional<Linear> timeProjection() {
        return timeProjection;
    }

    /// Its convolutions, in the order of files.
    List<Conv2d> convolutions() {
        return Stream.concat(Stream.of(conv1, conv2), shortcut.stream()).toList();
    }

    /// Without a timestep.
    public Var forward(Var x) {
        return x.tape().segment1(name, in -> residual(in[0], conv1.forward(norm1.forwardSilu(in[0]))), x);
    }

    /// @param x `[B,H,W,in]`
    /// @param time silu of the timestep embedding, `[B,T]`
    /// @return `[B,H,W,out]`
    public Var forward(Var x, Var time) {
        return x.tape().segment1(name, in -> {
            Var h = conv1.forward(norm1.forwardSilu(in[0]));
            Var shift = timeProjection.orElseThrow(() -> new IllegalStateException(name + ": has no timestep projection")).forward(in[1]);
            return residual(in[0], h.plus(shift.reshape(shift.dim(0), 1, 1, shift.dim(1))));
        }, x, time);
    }

    private Var residual(Var x, Var h) {
        Var y = conv2.forward(norm2.forwardSilu(h));
        return (shortcut.isPresent() ? shortcut.get().forward(x) : x).plus(y);
    }
}
