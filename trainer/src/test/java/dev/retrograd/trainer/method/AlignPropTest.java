package dev.retrograd.trainer.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.Guidance;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.util.BitSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Gradients of a whole ancestral chain of the small model with LoRA: three steps, two prompts.
class AlignPropTest {
    private static final int STEPS = 3;

    /// Mean contrast: a gradient everywhere, not linear.
    private record Contrast() implements DifferentiableReward {
        @Override public String name() {
            return "contrast";
        }

        @Override public Var score(Var pixels, List<String> prompts) {
            Var squared = pixels.affine(2, -1).apply(Unary.pow(2));
            return squared.apply(SumTo.mean(pixels.shape(), Shape.of(pixels.dim(0), 1, 1, 1))).reshape(pixels.dim(0));
        }
    }

    private static BitSet steps(int... kept) {
        BitSet set = new BitSet();
        for (int step : kept) {
            set.set(step);
        }
        return set;
    }

    /// Scores, losses and gradients by name; asserts on the way that only LoRA gets gradients, and that all memory comes back.
    private static Map<String, float[]> run(int threads, Segment.Policy policy, BitSet kept) throws IOException {
        Map<String, float[]> results = new LinkedHashMap<>();
        try (CpuBackend b = new CpuBackend(CpuBackend.Options.defaults().withThreads(threads).withPoison())) {
            try (StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"))) {
                long modelBytes = b.memory().liveBytes();
                try (LoraWeights lora = LoraWeights.of(b, model.unet(), LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.empty()), 1)) {
                    run(b, model, lora, policy, kept, results);
                }
                assertEquals(modelBytes, b.memory().liveBytes(), "live bytes when LoRA is closed");
            }
            assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
        }
        return results;
    }

    private static void run(CpuBackend b, StableDiffusion model, LoraWeights lora, Segment.Policy policy, BitSet kept, Map<String, float[]> results) {
        DdimChain chain = new DdimChain(model.unet(), model.schedule().ddim(STEPS), new Guidance(5), 1);
        DifferentiableReward reward = new Contrast();
        AlignProp method = new AlignProp(new Parts(model, chain, reward, new RewardLoss.Maximise(), policy), reward, new Truncation.Full());
        Shape latent = Shape.of(2, 8, 8, 4);
        try (Scope _ = b.memory().open("test"); Gradients gradients = new Gradients(b)) {
            Tensor[] noise = new Tensor[STEPS];
            for (int i = 0; i < STEPS; i++) {
                noise[i] = b.floats("noise", latent, RandomStream.keyed(5, i).randn(512));
            }
            Tensor context = model.encodeText(model.tokenize(List.of("", "", "cat", "butterfly")));
            Batch batch = new Batch(b.floats("latents", latent, new RandomStream(1).randn(512)), context, List.of("cat", "butterfly"), 0, i -> noise[i]);
            Var[] initial = new Var[1];
            method.differentiate(batch, kept, 0.5, true, gradients, _ -> { }, pass -> {
                initial[0] = pass.latent();
                results.put("scores", b.toFloats(pass.scores().value()));
                results.put("losses", b.toFloats(pass.losses().value()));
            });
            results.put("latents", b.toFloats(gradients.of(initial[0]).orElseThrow()));
            for (Parameter p : lora.parameters()) {
                results.put(p.name(), b.toFloats(gradients.of(p).orElseThrow()));
            }
            assertEquals(Set.copyOf(lora.parameters()), Set.copyOf(gradients.parameters()), "parameters that got a gradient");
        }
    }

    private static void assertSame(Map<String, float[]> expected, Map<String, float[]> got) {
        assertEquals(expected.keySet(), got.keySet());
        expected.forEach((name, values) -> assertArrayEquals(values, got.get(name), name));
    }

    @Test void gradientsDoNotDependOnWhatIsRecomputedNorOnThreads() throws IOException {
        Map<String, float[]> stored = run(2, Segment.Policy.STORE_ALL, steps(1, 2));
        assertSame(stored, run(2, Segment.Policy.RECOMPUTE_ALL, steps(1, 2)));
        assertSame(stored, run(1, AlignProp.RECOMPUTE_OUTERMOST, steps(1, 2)));
        assertSame(stored, run(5, AlignProp.RECOMPUTE_OUTERMOST, steps(1, 2)));
        Set<String> zero = new HashSet<>();
        stored.forEach((name, values) -> {
            double squares = 0;
            for (float v : values) {
                assertTrue(Float.isFinite(v), name);
                squares += v * v;
            }
            if (squares == 0) {
                zero.add(name);
            }
        });
        // The middle block sees one pixel: self-attention to a single key has no gradient by queries and keys.
        String middle = "mid_block.attentions.0.transformer_blocks.0.attn1.to_";
        assertEquals(Set.of(middle + "q.lora_A.weight", middle + "q.lora_B.weight", middle + "k.lora_A.weight", middle + "k.lora_B.weight"), zero);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aKeptStepBeforeASkippedOneGetsItsGradientThroughTheLatent(int step) throws IOException {
        Map<String, float[]> stored = run(2, Segment.Policy.STORE_ALL, steps(step));
        assertSame(stored, run(2, AlignProp.RECOMPUTE_OUTERMOST, steps(step)));
        for (float g : stored.get("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v.lora_A.weight")) {
            assertTrue(g != 0, "a gradient from step " + step);
        }
    }
}
