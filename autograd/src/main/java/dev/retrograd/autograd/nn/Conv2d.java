package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.ConvSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// A convolution of channels-last images with bias, that low-rank updates can be attached to. Parity: torch.nn.Conv2d, peft `lora.Conv2d`.
public final class Conv2d implements Adaptable {
    private final String name;
    private final ConvSpec geometry;
    private final Parameter weight;
    private final Parameter bias;
    private final List<Lora> loras = new ArrayList<>();

    /// @param name module path as files have it
    /// @param weight `[O,K,K,I]`
    /// @param bias `[O]`
    public Conv2d(String name, ConvSpec geometry, Parameter weight, Parameter bias) {
        this.name = name;
        this.geometry = geometry;
        this.weight = weight;
        this.bias = bias;
    }

    /// Reads `weight`, `[out,in,k,k]` in the file, and `bias`.
    public static Conv2d load(Weights w, int in, int out, ConvSpec geometry) throws IOException {
        return new Conv2d(w.path(), geometry, w.kernel("weight", out, in, geometry.kernelHeight(), geometry.kernelWidth()), w.get("bias", out));
    }

    @Override public String name() {
        return name;
    }

    @Override public Parameter weight() {
        return weight;
    }

    @Override public int inFeatures() {
        return weight.spec().shape().dim(3);
    }

    @Override public int outFeatures() {
        return weight.spec().shape().dim(0);
    }

    @Override public int kernel() {
        return geometry.kernelHeight();
    }

    @Override public void attach(Lora lora) {
        loras.add(lora);
    }

    @Override public void detach(Lora lora) {
        loras.remove(lora);
    }

    public Var forward(Var x) {
        Tape t = x.tape();
        Var y = x.apply(new dev.retrograd.autograd.op.Conv2d(geometry), t.weight(weight), t.parameter(bias));
        for (Lora lora : loras) {
            y = y.plus(lora.forward(x, geometry));
        }
        return y;
    }
}
