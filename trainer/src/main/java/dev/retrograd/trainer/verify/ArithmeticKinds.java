package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Resize;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.core.NamedStreams;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// Computations without a model: resizing, AdamW, random streams.
final class ArithmeticKinds {
    private static final String INITIAL = ".init";

    private ArithmeticKinds() {
    }

    /// `out` of torchvision's Resize of `in` to `smaller_edge`, by `mode`, with or without `antialias`; the other edge keeps the ratio, rounded down.
    static void resize(CheckRun run) throws IOException {
        ModelConfig c = run.options();
        String mode = c.text("mode", "bilinear");
        Resampling.Filter filter = switch (mode) {
            case "bilinear" -> Resampling.Filter.BILINEAR;
            case "bicubic" -> Resampling.Filter.BICUBIC;
            default -> throw c.refuse("'mode' must be bilinear or bicubic, got " + mode);
        };
        Resampling how = new Resampling(filter, c.flag("antialias", false));
        int edge = c.integer("smaller_edge");
        String weight = c.text("loss_weight", "");
        try (Tape tape = run.tape()) {
            Var in = run.leaf(tape, "in");
            int height = in.dim(1);
            int width = in.dim(2);
            boolean tall = height > width;
            int longer = (int) ((long) edge * Math.max(height, width) / Math.min(height, width));
            Var out = in.apply(new Resize(how, tall ? longer : edge, tall ? edge : longer));
            run.put("out", out.value());
            if (weight.isEmpty()) {
                run.differentiate(out, Map.of("in", in), Map.of());
            } else {
                run.differentiate(out, linspace(run, c, weight, out.shape()), Map.of("in", in), Map.of());
            }
        }
    }

    /// The loss weight that these checks have, −1..1 in the order of files.
    private static Tensor linspace(CheckRun run, ModelConfig c, String weight, Shape nhwc) throws IOException {
        if (!weight.equals("linspace(-1, 1, numel(out))")) {
            throw c.refuse("'loss_weight' must be linspace(-1, 1, numel(out)) or an input, got '" + weight + "'");
        }
        float[] values = new float[Math.toIntExact(nhwc.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = values.length == 1 ? -1 : (float) (-1 + 2.0 * i / (values.length - 1));
        }
        return run.tensor("loss_weight", Shape.of(nhwc.dim(0), nhwc.dim(3), nhwc.dim(1), nhwc.dim(2)), values);
    }

    /// For each parameter NAME with `NAME.init` and `NAME.grads` (one for each step): `NAME` after every step, and the final moments; `norms` before clipping.
    static void adamw(CheckRun run) throws IOException {
        Optimizer how = Optimizer.of(run.options());
        List<Parameter> parameters = new ArrayList<>();
        List<float[]> gradients = new ArrayList<>();
        for (String input : run.inputs()) {
            if (input.endsWith(INITIAL)) {
                String name = input.substring(0, input.length() - INITIAL.length());
                Values init = run.values(input);
                parameters.add(new Parameter(name, run.backend().floats(name, init.shape(), floats(init, 0, init.numbers().length)), true));
                Values all = run.values(name + ".grads");
                gradients.add(floats(all, 0, all.numbers().length));
            }
        }
        try (AdamW adamw = new AdamW(run.backend(), parameters, how.adamw())) {
            int size = Math.toIntExact(parameters.getFirst().spec().shape().elements());
            int steps = gradients.getFirst().length / size;
            List<double[]> weights = parameters.stream().map(p -> new double[Math.toIntExact(steps * p.value().elements())]).toList();
            double[] norms = new double[steps];
            for (int i = 0; i < steps; i++) {
                norms[i] = step(run, how, adamw, parameters, gradients, i);
                for (int j = 0; j < weights.size(); j++) {
                    float[] now = run.backend().toFloats(parameters.get(j).value());
                    for (int e = 0; e < now.length; e++) {
                        weights.get(j)[i * now.length + e] = now[e];
                    }
                }
            }
            run.put("norms", Values.vector(norms));
            for (int j = 0; j < parameters.size(); j++) {
                Parameter p = parameters.get(j);
                int[] dims = p.spec().shape().toArray();
                int[] stacked = new int[dims.length + 1];
                stacked[0] = steps;
                System.arraycopy(dims, 0, stacked, 1, dims.length);
                run.put(p.name(), new Values(Shape.of(stacked), weights.get(j)));
            }
            adamw.state().forEach((name, t) -> {
                if (run.wants(name)) {
                    run.put(name, Values.of(t.shape(), run.backend().toFloats(t)));
                }
            });
        } finally {
            parameters.forEach(Parameter::close);
        }
    }

    private static float[] floats(Values v, int from, int count) {
        float[] out = new float[count];
        for (int i = 0; i < count; i++) {
            out[i] = (float) v.numbers()[from + i];
        }
        return out;
    }

    /// One step with given gradients: `d Σ p·g / dp` is g. Gives the norm before clipping.
    private static double step(CheckRun run, Optimizer how, AdamW adamw, List<Parameter> parameters, List<float[]> all, int step) {
        try (Scope _ = run.backend().memory().open("step"); Tape tape = new Tape(run.backend(), Segment.Policy.STORE_ALL);
                Gradients gradients = new Gradients(run.backend())) {
            for (int j = 0; j < parameters.size(); j++) {
                Parameter p = parameters.get(j);
                Shape shape = p.spec().shape();
                int size = Math.toIntExact(shape.elements());
                float[] g = Arrays.copyOfRange(all.get(j), step * size, (step + 1) * size);
                tape.backward(tape.parameter(p).affine(1, 0), run.backend().floats("g", shape, g), gradients);
            }
            GradientClip.Clipped clipped = how.clip().apply(run.backend(), gradients, parameters);
            adamw.step(gradients, how.learningRate(), clipped.factor(), AdamW.Missing.REFUSE);
            return clipped.norm(run.backend());
        }
    }

    /// `values` of a named stream.
    static void torchRandom(CheckRun run) throws IOException {
        NamedStreams.Values values = NamedStreams.evaluate(run.options().text("stream", ""));
        run.put("values", Values.vector(values.toDoubles()));
    }
}
