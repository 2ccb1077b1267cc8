package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Linear;

/// A low-rank update of one linear layer: `scale·B·A`. Source: arXiv 2106.09685.
///
/// @param a `[rank,in]`, `lora_A.weight` in files
/// @param b `[out,rank]`, `lora_B.weight` in files
/// @param scale α/rank, times the user's LoRA scale
public record Lora(Parameter a, Parameter b, double scale) {

    public int rank() {
        return a.spec().shape().dim(0);
    }

    /// The update alone, `scale·(x·Aᵀ)·Bᵀ`.
    Var forward(Var x) {
        return x.apply(new Linear(), x.tape().parameter(a)).apply(new Linear(), x.tape().parameter(b)).affine(scale, 0);
    }
}
