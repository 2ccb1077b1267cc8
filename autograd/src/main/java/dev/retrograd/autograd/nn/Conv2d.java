package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.ConvSpec;
import java.io.IOException;

/// A convolution of channels-last images with bias. Parity: torch.nn.Conv2d.
///
/// @param weight `[O,Kh,Kw,I]`
/// @param bias `[O]`
public record Conv2d(ConvSpec geometry, Parameter weight, Parameter bias) {

    /// Reads `weight`, `[out,in,k,k]` in the file, and `bias`.
    public static Conv2d load(Weights w, int in, int out, ConvSpec geometry) throws IOException {
        return new Conv2d(geometry, w.kernel("weight", out, in, geometry.kernelHeight(), geometry.kernelWidth()), w.get("bias", out));
    }

    public Var forward(Var x) {
        Tape t = x.tape();
        return x.apply(new dev.retrograd.autograd.op.Conv2d(geometry), t.parameter(weight), t.parameter(bias));
    }
}
