package dev.retrograd.autograd.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LayersTest {
    private final ReferenceBackend b = new ReferenceBackend();
    private final RandomValues random = new RandomValues(4);
    private final List<Parameter> parameters = new ArrayList<>();
    private final List<String> asked = new ArrayList<>();

    /// Random weights of whatever shape is asked for.
    private final Weights weights = new Weights() {
        @Override public boolean has(String name) {
            return true;
        }

        @Override public Parameter get(String name, int... shape) {
            asked.add(name + " " + Shape.of(shape));
            return parameter(name, false, shape);
        }

        @Override public Parameter kernel(String name, int out, int in, int height, int width) {
            asked.add(name + " kernel " + Shape.of(out, in, height, width));
            return parameter(name, false, out, height, width, in);
        }

        @Override public Parameter pointwise(String name, int out, int in) {
            asked.add(name + " pointwise " + Shape.of(out, in));
            return parameter(name, false, out, in);
        }
    };

    @AfterEach void close() {
        parameters.forEach(Parameter::close);
        b.close();
        assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
    }

    private Parameter parameter(String name, boolean trainable, int... dims) {
        Shape shape = Shape.of(dims);
        try (Scope _ = b.memory().open("load")) {
            parameters.add(new Parameter(name, b.doubles(name, shape, random.normalDoubles(shape.elements())), trainable));
            return parameters.getLast();
        }
    }

    private Lora lora(int in, int out, double scale) {
        return new Lora(parameter("a", true, 2, in), parameter("b", true, out, 2), scale);
    }

    private double[] forward(Linear layer, Tensor x) {
        try (Scope _ = b.memory().open("forward"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toDoubles(layer.forward(tape.constant(x)).value());
        }
    }

    private Tensor normal(int... dims) {
        return b.doubles("x", Shape.of(dims), random.normalDoubles(Shape.of(dims).elements()));
    }

    /// `x·(w + Σ scale·B·A)ᵀ + bias`
    private double[] merged(Linear layer, Optional<Parameter> bias, Tensor x, Lora... loras) {
        double[] w = b.toDoubles(layer.weight().value()).clone();
        int in = layer.inFeatures();
        for (Lora l : loras) {
            double[] a = b.toDoubles(l.a().value());
            double[] up = b.toDoubles(l.b().value());
            for (int i = 0; i < w.length; i++) {
                for (int r = 0; r < l.rank(); r++) {
                    w[i] += l.scale() * up[i / in * l.rank() + r] * a[r * in + i % in];
                }
            }
        }
        double[] values = b.toDoubles(x);
        double[] y = new double[values.length / in * layer.outFeatures()];
        for (int i = 0; i < y.length; i++) {
            int o = i % layer.outFeatures();
            y[i] = bias.map(p -> b.toDoubles(p.value())[o]).orElse(0.0);
            for (int k = 0; k < in; k++) {
                y[i] += values[i / layer.outFeatures() * in + k] * w[o * in + k];
            }
        }
        return y;
    }

    @Test void lowRankUpdatesAddUpAndCanBeTakenAway() {
        for (Optional<Parameter> bias : List.of(Optional.<Parameter>empty(), Optional.of(parameter("bias", false, 7)))) {
            Linear layer = new Linear("to_q", parameter("weight", false, 7, 5), bias);
            Tensor x = normal(2, 3, 5);
            Lora one = lora(5, 7, 0.5);
            Lora two = lora(5, 7, -1.5);
            Close.elements("frozen", merged(layer, bias, x), forward(layer, x), 1e-12, 1e-12);
            layer.attach(one);
            Close.elements("one", merged(layer, bias, x, one), forward(layer, x), 1e-12, 1e-12);
            layer.attach(two);
            Close.elements("two", merged(layer, bias, x, one, two), forward(layer, x), 1e-12, 1e-12);
            layer.detach(one);
            Close.elements("the other", merged(layer, bias, x, two), forward(layer, x), 1e-12, 1e-12);
            layer.detach(two);
            assertArrayEquals(merged(layer, bias, x), forward(layer, x), 1e-12);
        }
    }

    @Test void everyAttachedUpdateGetsAGradientAndTheWeightNone() {
        Linear layer = new Linear("to_q", parameter("weight", false, 7, 5), Optional.empty());
        Lora one = lora(5, 7, 0.5);
        Lora two = lora(5, 7, 2);
        layer.attach(one);
        layer.attach(two);
        try (Scope _ = b.memory().open("pass"); Tape tape = new Tape(b, Segment.Policy.RECOMPUTE_ALL); Gradients gradients = new Gradients(b)) {
            Var y = tape.segment1("layer", in -> layer.forward(in[0]), tape.constant(normal(2, 5)));
            tape.backward(y, normal(2, 7), gradients);
            assertTrue(gradients.parameters().containsAll(List.of(one.a(), one.b(), two.a(), two.b())), "all four factors");
            assertEquals(4, gradients.parameters().size());
        }
    }

    /// A low-rank update of a convolution is the convolution with the merged kernel; each factor gets a gradient.
    @Test void convolutionsTakeLowRankUpdates() {
        ConvSpec halving = ConvSpec.square(3, 2, 1);
        Parameter kernel = parameter("weight", false, 5, 3, 3, 4);
        Parameter bias = parameter("bias", false, 5);
        Lora one = new Lora(parameter("a", true, 2, 3, 3, 4), parameter("b", true, 5, 2), 0.5);
        Lora two = new Lora(parameter("a2", true, 1, 3, 3, 4), parameter("b2", true, 5, 1), -2);
        double[] merged = b.toDoubles(kernel.value()).clone();
        for (Lora l : List.of(one, two)) {
            double[] down = b.toDoubles(l.a().value());
            double[] up = b.toDoubles(l.b().value());
            for (int i = 0; i < merged.length; i++) {
                for (int r = 0; r < l.rank(); r++) {
                    merged[i] += l.scale() * up[i / 36 * l.rank() + r] * down[r * 36 + i % 36];
                }
            }
        }
        Parameter whole;
        try (Scope _ = b.memory().open("merged")) {
            whole = new Parameter("merged", b.doubles("merged", kernel.spec().shape(), merged), false);
        }
        Conv2d layer = new Conv2d("conv", halving, kernel, bias);
        layer.attach(one);
        layer.attach(two);
        assertEquals(3, layer.kernel());
        try (whole; Scope _ = b.memory().open("pass"); Tape tape = new Tape(b, Segment.Policy.RECOMPUTE_ALL); Gradients gradients = new Gradients(b)) {
            Var x = tape.constant(normal(2, 5, 6, 4));
            Var y = tape.segment1("layer", in -> layer.forward(in[0]), x);
            Close.elements("merged", b.toDoubles(new Conv2d("merged", halving, whole, bias).forward(x).value()), b.toDoubles(y.value()), 1e-12, 1e-12);
            tape.backward(y, normal(y.shape().toArray()), gradients);
            assertEquals(4, gradients.parameters().size());
            assertTrue(gradients.parameters().containsAll(List.of(one.a(), one.b(), two.a(), two.b())), "all four factors");
        }
    }

    /// softmax(q·kᵀ/√D)·v per head, written out.
    @Test void multiHeadAttentionScalesByTheHeadsWidth() throws IOException {
        int heads = 3;
        int width = 2;
        int c = heads * width;
        Weights w = weights.in("attn1");
        MultiHeadAttention attention = new MultiHeadAttention(heads, false, Linear.load(w.in("to_q"), c, c, false), Linear.load(w.in("to_k"), 4, c, false),
                Linear.load(w.in("to_v"), 4, c, false), Linear.load(w.in("to_out.0"), c, c, true));
        assertEquals(List.of("attn1.to_q.weight [6,6]", "attn1.to_k.weight [6,4]", "attn1.to_v.weight [6,4]", "attn1.to_out.0.weight [6,6]",
                "attn1.to_out.0.bias [6]"), asked);
        assertEquals(List.of("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0"), attention.linears().stream().map(Linear::name).toList());
        Tensor x = normal(1, 2, c);
        Tensor context = normal(1, 3, 4);
        double[] q = forward(attention.toQ(), x);
        double[] k = forward(attention.toK(), context);
        double[] v = forward(attention.toV(), context);
        double[] mixed = new double[2 * c];
        for (int n = 0; n < 2; n++) {
            for (int head = 0; head < heads; head++) {
                double[] p = new double[3];
                double sum = 0;
                for (int m = 0; m < 3; m++) {
                    for (int d = head * width; d < (head + 1) * width; d++) {
                        p[m] += q[n * c + d] * k[m * c + d] / Math.sqrt(width);
                    }
                    p[m] = Math.exp(p[m]);
                    sum += p[m];
                }
                for (int m = 0; m < 3; m++) {
                    for (int d = head * width; d < (head + 1) * width; d++) {
                        mixed[n * c + d] += p[m] / sum * v[m * c + d];
                    }
                }
            }
        }
        double[] expected = forward(attention.toOut(), b.doubles("mixed", Shape.of(1, 2, c), mixed));
        try (Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var y = attention.forward(tape.constant(x), tape.constant(context));
            Close.elements("attention", expected, b.toDoubles(y.value()), 1e-12, 1e-12);
        }
    }

    @Test void layersAskForTheShapesThatFilesHave() throws IOException {
        Conv2d conv = Conv2d.load(weights.in("conv_in"), 4, 8, ConvSpec.square(3, 1, 1));
        GroupNorm norm = GroupNorm.load(weights.in("norm"), 2, 1e-5, 8);
        LayerNorm layerNorm = LayerNorm.load(weights.in("norm3"), 1e-5, 8);
        Linear query = Linear.pointwise(weights.in("query"), 8, 8);
        assertEquals(List.of("conv_in.weight kernel [8,4,3,3]", "conv_in.bias [8]", "norm.weight [8]", "norm.bias [8]", "norm3.weight [8]", "norm3.bias [8]",
                "query.weight pointwise [8,8]", "query.bias [8]"), asked);
        try (Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var h = conv.forward(tape.constant(normal(1, 3, 5, 4)));
            assertEquals(Shape.of(1, 3, 5, 8), h.shape());
            double[] fused = b.toDoubles(norm.forwardSilu(h).value());
            double[] composed = b.toDoubles(norm.forward(h).apply(dev.retrograd.core.Unary.SILU).value());
            Close.elements("norm then SiLU", composed, fused, 1e-13, 1e-13);
            assertEquals(h.shape(), layerNorm.forward(h).shape());
            assertEquals(h.shape(), query.forward(h).shape());
        }
    }
}
