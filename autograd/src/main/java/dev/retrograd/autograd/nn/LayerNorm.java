package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import java.io.IOException;

/// Layer normalisation with learned scale and shift. Parity: torch.nn.LayerNorm.
///
/// @param weight gamma, `[C]`
/// @param bias beta, `[C]`
public record LayerNorm(double eps, Parameter weight, Parameter bias) {

    public static LayerNorm load(Weights w, double eps, int channels) throws IOException {
        return new LayerNorm(eps, w.get("weight", channels), w.get("bias", channels));
    }

    public Var forward(Var x) {
        Tape t = x.tape();
        return x.apply(new dev.retrograd.autograd.op.LayerNorm(eps), t.parameter(weight), t.parameter(bias));
    }
}
