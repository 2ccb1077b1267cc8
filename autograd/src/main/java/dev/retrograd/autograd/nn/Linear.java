package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.LoraLinear;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A linear layer over rows, `[..., in]` to `[..., out]`, that low-rank updates can be attached to. Parity: torch.nn.Linear, peft `lora.Linear`.
public final class Linear implements Adaptable {
    private final String name;
    private final Parameter weight;
    private final Optional<Parameter> bias;
    private final List<Lora> loras = new ArrayList<>();

    /// @param name module path as files have it, e.g. `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`
    /// @param weight `[out,in]`
    /// @param bias `[out]`
    public Linear(String name, Parameter weight, Optional<Parameter> bias) {
        this.name = name;
        this.weight = weight;
        this.bias = bias;
    }

    /// Reads `weight` and, if asked, `bias`.
    public static Linear load(Weights w, int in, int out, boolean bias) throws IOException {
        return new Linear(w.path(), w.get("weight", out, in),
                bias ? Optional.of(w.get("bias", out)) : Optional.empty());
    }

    /// Reads a 1×1 convolution as the linear layer over channels that it is.
    public static Linear pointwise(Weights w, int in, int out) throws IOException {
        return new Linear(w.path(), w.pointwise("weight", out, in), Optional.of(w.get("bias", out)));
    }

    @Override public String name() {
        return name;
    }

    @Override public Parameter weight() {
        return weight;
    }

    @Override public int inFeatures() {
        return weight.spec().shape().dim(1);
    }

    @Override public int outFeatures() {
        return weight.spec().shape().dim(0);
    }

    @Override public int kernel() {
        return weight.fileShape().rank() > 2 ? 1 : 0;
    }

    @Override public void attach(Lora lora) {
        loras.add(lora);
    }

    @Override public void detach(Lora lora) {
        loras.remove(lora);
    }

    public Var forward(Var x) {
        Tape t = x.tape();
        List<Var> in = new ArrayList<>(List.of(t.weight(weight)));
        if (loras.isEmpty()) {
            bias.ifPresent(b -> in.add(t.parameter(b)));
            return x.apply(new dev.retrograd.autograd.op.Linear(), in.toArray(Var[]::new));
        }
        Lora first = loras.getFirst();
        in.add(t.parameter(first.a()));
        in.add(t.parameter(first.b()));
        bias.ifPresent(b -> in.add(t.parameter(b)));
        Var y = x.apply(new LoraLinear(first.scale()), in.toArray(Var[]::new));
        for (Lora more : loras.subList(1, loras.size())) {
            y = y.plus(more.forward(x));
        }
        return y;
    }
}
