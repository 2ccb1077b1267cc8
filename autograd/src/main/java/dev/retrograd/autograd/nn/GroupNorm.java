package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import java.io.IOException;

/// Group normalisation with learned scale and shift. Parity: torch.nn.GroupNorm.
///
/// @param weight gamma, `[C]`
/// @param bias beta, `[C]`
public record GroupNorm(int groups, double eps, Parameter weight, Parameter bias) {

    public static GroupNorm load(Weights w, int groups, double eps, int channels) throws IOException {
        return new GroupNorm(groups, eps, w.get("weight", channels), w.get("bias", channels));
    }

    public Var forward(Var x) {
        return apply(x, false);
    }

    /// Normalises, then applies SiLU, in one pass.
    public Var forwardSilu(Var x) {
        return apply(x, true);
    }

    private Var apply(Var x, boolean silu) {
        Tape t = x.tape();
        return x.apply(new dev.retrograd.autograd.op.GroupNorm(groups, eps, silu), t.parameter(weight), t.parameter(bias));
    }
}
