package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.reference.RoundingBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Networks of unusual sizes (head widths 5 and 15, groups of 5, odd images, odd context) with random weights: the CPU against float64 loops.
class OddNetworksTest {
    /// Head widths 5, 10, 5; three levels; two transformer blocks on the middle one.
    private static final String THREE_LEVELS = """
            {"sample_size": 9, "in_channels": 4, "out_channels": 4, "block_out_channels": [20, 40, 40], "layers_per_block": 1, "attention_head_dim": [4, 4, 8],
             "transformer_layers_per_block": [1, 2, 1], "cross_attention_dim": 13, "norm_num_groups": 4,
             "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}""";
    /// Head widths 5 and 15; two levels, attention on the inner one; the newer forms of projections and time.
    private static final String TWO_LEVELS = """
            {"sample_size": 5, "in_channels": 3, "out_channels": 3, "block_out_channels": [10, 30], "layers_per_block": 2, "attention_head_dim": 2,
             "cross_attention_dim": 7, "norm_num_groups": 5, "use_linear_projection": true, "flip_sin_to_cos": false, "freq_shift": 1,
             "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}""";

    private static ModelConfig config(String json) throws IOException {
        return ModelConfig.of("test", new ObjectMapper().readTree(json));
    }

    /// A network's forward pass from its inputs.
    @FunctionalInterface private interface Network {
        Var forward(Tape tape, RandomWeights weights, List<Var> inputs) throws IOException;
    }

    /// Output and gradients by name, of `Σ out·w` with a random w; closes the backend.
    private static Map<String, double[]> run(Backend b, Network network, Shape... inputs) throws IOException {
        Map<String, double[]> results = new LinkedHashMap<>();
        RandomValues random = new RandomValues(11);
        try (b) {
            try (RandomWeights weights = new RandomWeights(b); Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL);
                    Gradients gradients = new Gradients(b)) {
                List<Var> leaves = new ArrayList<>();
                for (Shape shape : inputs) {
                    leaves.add(tape.input(b.floats("input", shape, random.normal(shape.elements()))));
                }
                Var out = network.forward(tape, weights, leaves);
                assertEquals(DType.F32, out.spec().dtype(), "output of a model");
                results.put("out", values(b, out.value()));
                tape.backward(out, b.floats("dout", out.shape(), random.normal(out.shape().elements())), gradients);
                for (int i = 0; i < leaves.size(); i++) {
                    results.put("input " + i, gradient(b, gradients.of(leaves.get(i)).orElseThrow()));
                }
                for (Parameter p : weights.parameters.values()) {
                    gradients.of(p).ifPresent(g -> results.put(p.name(), gradient(b, g)));
                }
            }
            assertEquals(0, b.memory().liveBytes(), b.name() + ": live bytes");
        }
        return results;
    }

    private static double[] gradient(Backend b, Tensor t) {
        assertEquals(DType.F32, t.dtype(), "gradient of a model's input or float32 weight");
        return values(b, t);
    }

    private static double[] values(Backend b, Tensor t) {
        return b instanceof ReferenceBackend reference ? reference.toDoubles(t) : Close.widened(b.toFloats(t));
    }

    private static void agree(Network network, Shape... inputs) throws IOException {
        Map<String, double[]> exact = run(new ReferenceBackend(), network, inputs);
        Map<String, double[]> cpu = run(new CpuBackend(CpuBackend.Options.defaults().withPoison()), network, inputs);
        assertEquals(exact.keySet(), cpu.keySet());
        assertTrue(exact.size() > 2 * inputs.length, "gradients of weights, got " + exact.keySet());
        double largest = exact.values().stream().mapToDouble(OddNetworksTest::rootMeanSquare).max().orElseThrow();
        exact.forEach((name, e) -> {
            if (rootMeanSquare(e) < 1e-12 * largest) {
                // Zero but for rounding, as a key's bias, which softmax does not see.
                double got = rootMeanSquare(cpu.get(name));
                assertTrue(got <= 1e-6 * largest, name + " must be about zero on the scale of " + largest + ", got " + got);
            } else {
                // A gradient that is left over when others cancel is compared on the scale of the ordinary ones.
                Close.relativeL2(name, e, cpu.get(name), 3e-5 * Math.max(1, 1e-3 * largest / rootMeanSquare(e)));
            }
        });
        Map<String, double[]> single = run(new CpuBackend(CpuBackend.Options.defaults().withThreads(1)), network, inputs);
        cpu.forEach((name, d) -> assertArrayEquals(d, single.get(name), name + " on one thread"));
    }

    private static double rootMeanSquare(double... values) {
        double squares = 0;
        for (double v : values) {
            squares += v * v;
        }
        return Math.sqrt(squares / values.length);
    }

    /// Activations of 16 bits between boundaries of float32: 8 bits of mantissa, rounded some hundred times, weights too, leave 1 to 5 % of error.
    private static void agreeInSixteenBits(Network network, Shape... inputs) throws IOException {
        Map<String, double[]> exact = run(new ReferenceBackend(), network, inputs);
        Map<String, double[]> rounded = run(RoundingBackend.of(ReferenceBackend.float32(), DType.BF16), network, inputs);
        double largest = exact.values().stream().mapToDouble(OddNetworksTest::rootMeanSquare).max().orElseThrow();
        assertEquals(exact.keySet(), rounded.keySet());
        exact.forEach((name, e) -> Close.relativeL2(name, e, rounded.get(name), 0.06 * Math.max(1, 0.1 * largest / rootMeanSquare(e))));
        assertTrue(Close.relativeL2(exact.get("out"), rounded.get("out")) > 1e-3, "activations that were rounded");
    }

    private static Network unet(String json, float... timesteps) {
        return (_, weights, in) -> new UNet(UNetConfig.of(config(json)), weights).forward(in.get(0), in.get(1), timesteps);
    }

    @Test void threeLevelsWithAnOddLatentAndATimestepForEachImage() throws IOException {
        agree(unet(THREE_LEVELS, 901, 1, 444), Shape.of(3, 9, 7, 4), Shape.of(3, 11, 13));
    }

    @Test void twoLevelsWithLinearProjections() throws IOException {
        agree(unet(TWO_LEVELS, 17), Shape.of(1, 5, 4, 3), Shape.of(1, 6, 7));
    }

    @Test void latentsThatShrinkToOnePixel() throws IOException {
        agree(unet(TWO_LEVELS, 17), Shape.of(2, 2, 1, 3), Shape.of(2, 1, 7));
    }

    @Test void onePixelAndOneChannelForEachGroup() throws IOException {
        String json = """
                {"in_channels": 2, "out_channels": 2, "block_out_channels": [6, 6], "layers_per_block": 1, "attention_head_dim": 3, "cross_attention_dim": 3,
                 "norm_num_groups": 6, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}""";
        agree(unet(json, 17), Shape.of(1, 1, 1, 2), Shape.of(1, 4, 3));
    }

    @ParameterizedTest
    @ValueSource(strings = {THREE_LEVELS, TWO_LEVELS})
    void gradientIsTheSlopeAlongADirection(String json) throws IOException {
        UNetConfig config = UNetConfig.of(config(json));
        Shape latent = Shape.of(1, 9, 7, config.inChannels());
        double[] direction = Close.widened(new RandomValues(5).normal(latent.elements()));
        double[] slope = new double[1];
        double[] gradient = new double[1];
        try (ReferenceBackend b = new ReferenceBackend(); RandomWeights weights = new RandomWeights(b)) {
            UNet unet = new UNet(config, weights);
            weights.parameters.values().forEach(p -> p.trainable(false));
            double h = 1e-5;
            slope[0] = (weighted(b, unet, latent, direction, h, gradient) - weighted(b, unet, latent, direction, -h, gradient)) / (2 * h);
            weighted(b, unet, latent, direction, 0, gradient);
        }
        assertTrue(Math.abs(slope[0]) > 1e-3, "a slope worth comparing, got " + slope[0]);
        assertEquals(slope[0], gradient[0], 1e-6 * Math.abs(slope[0]));
    }

    /// `Σ out·w` at `x + h·direction`; `gradient` becomes its derivative along the direction there.
    private static double weighted(ReferenceBackend b, UNet unet, Shape latent, double[] direction, double h, double[] gradient) {
        RandomValues random = new RandomValues(3);
        try (Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.RECOMPUTE_ALL); Gradients gradients = new Gradients(b)) {
            double[] x = Close.widened(random.normal(latent.elements()));
            for (int i = 0; i < x.length; i++) {
                x[i] += h * direction[i];
            }
            Tensor start = b.floats("x", latent, new float[x.length]);
            b.set(start, x);
            Var leaf = tape.input(start);
            Shape context = Shape.of(1, 3, unet.config().contextChannels());
            Var out = unet.forward(leaf, tape.constant(b.floats("context", context, random.normal(context.elements()))), 333);
            Tensor w = b.floats("w", out.shape(), random.normal(out.shape().elements()));
            double sum = dot(b.toDoubles(out.value()), b.toDoubles(w));
            tape.backward(out, w, gradients);
            gradient[0] = dot(b.toDoubles(gradients.of(leaf).orElseThrow()), direction);
            return sum;
        }
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static final String VAE = """
            {"in_channels": 3, "out_channels": 3, "latent_channels": 5, "block_out_channels": [12, 20], "layers_per_block": 2, "norm_num_groups": 4,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}""";

    @Test void modelsInSixteenBitsHaveFloat32Boundaries() throws IOException {
        agreeInSixteenBits(unet(TWO_LEVELS, 17), Shape.of(1, 5, 4, 3), Shape.of(1, 6, 7));
        agreeInSixteenBits((_, weights, in) -> new VaeDecoder(VaeConfig.of(config(VAE)), weights).forward(in.get(0)), Shape.of(1, 3, 5, 5));
        agreeInSixteenBits((_, weights, in) -> new VaeEncoder(VaeConfig.of(config(VAE)), weights).forward(in.get(0)), Shape.of(1, 9, 6, 3));
    }

    @Test void decoderOfTwoLevels() throws IOException {
        agree((_, weights, in) -> new VaeDecoder(VaeConfig.of(config(VAE)), weights).forward(in.get(0)), Shape.of(3, 3, 5, 5));
    }

    @Test void encoderOfTwoLevelsOnAnOddImage() throws IOException {
        agree((_, weights, in) -> new VaeEncoder(VaeConfig.of(config(VAE)), weights).forward(in.get(0)), Shape.of(1, 9, 6, 3));
    }

    @Test void textEncoderWithExactGelu() throws IOException {
        String json = """
                {"vocab_size": 50, "hidden_size": 15, "intermediate_size": 22, "num_hidden_layers": 3, "num_attention_heads": 3, "max_position_embeddings": 9,
                 "hidden_act": "gelu", "eos_token_id": 49}""";
        int[][] ids = {{0, 5, 7, 49, 49, 1}, {0, 49, 3, 3, 3, 3}, {9, 8, 7, 6, 5, 4}};
        agree((tape, weights, _) -> {
            ClipTextEncoder.Encoding e = new ClipTextEncoder(ClipTextConfig.of(config(json)), weights).forward(tape, ids);
            assertEquals(Shape.of(3, 15), e.pooled().shape());
            return e.last();
        });
    }
}
