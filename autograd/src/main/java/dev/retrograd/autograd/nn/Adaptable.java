package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;

/// A layer that low-rank updates can be attached to; several add up.
public sealed interface Adaptable permits Linear, Conv2d {

    /// Module path as files have it, e.g. `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`.
    String name();

    /// The frozen weight, `[out,in]` or `[out,Kh,Kw,in]`.
    Parameter weight();

    /// Width of the input.
    int inFeatures();

    /// Width of the output.
    int outFeatures();

    /// Rows and columns of the kernel that files have: 0 for a linear layer, 1 for one that is a 1×1 convolution there.
    int kernel();

    void attach(Lora lora);

    /// Takes a low-rank update away again.
    void detach(Lora lora);
}
