package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Conv2d;
import dev.retrograd.autograd.op.Linear;
import dev.retrograd.core.ConvSpec;

/// A low-rank update of one layer: `scale·B·A`; of a convolution, a convolution with few channels and a 1×1 one. Source: arXiv 2106.09685.
///
/// @param a `[rank,in]`, or `[rank,K,K,in]` of a convolution; `lora_A.weight` in files
/// @param b `[out,rank]`, `lora_B.weight` in files
/// @param scale α/rank, times the user's LoRA scale
public record Lora(Parameter a, Parameter b, double scale) {

    public int rank() {
        return a.spec().shape().dim(0);
    }

    /// The update of a convolution alone.
    ///
    /// @param geometry the convolution's
    Var forward(Var x, ConvSpec geometry) {
        return x.apply(new Conv2d(geometry), x.tape().parameter(a)).apply(new Linear(), x.tape().parameter(b)).affine(scale, 0);
    }

    /// The update alone, `scale·(x·Aᵀ)·Bᵀ`.
    Var forward(Var x) {
        return x.apply(new Linear(), x.tape().parameter(a)).apply(new Linear(), x.tape().parameter(b)).affine(scale, 0);
    }
}
