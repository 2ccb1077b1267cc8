package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.retrograd.core.Golden;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraGate;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;

class LoraGateTest {
    private static final SamplerSettings SETTINGS = new SamplerSettings(3, 2, 0, 16, 16, "");

    private static SequencedMap<String, LoraFile.Update> updates() {
        RandomValues random = new RandomValues(4);
        return new TreeMap<>(java.util.Map.of("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", new LoraFile.Update(2, 32, 32, random.normal(64), random.normal(64), 2, 0),
                "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v", new LoraFile.Update(2, 32, 32, random.normal(64), random.normal(64), 2, 0)));
    }

    private static float[] image(StableDiffusion model, IntPredicate steps) {
        try (LoraWeights worn = LoraWeights.of(model, updates(), 1); LoraGate gate = new LoraGate(worn, steps)) {
            return new Sampler(model, SETTINGS, gate).images(List.of("a cat"), new ChainNoise.Keyed(0, 0, SETTINGS.latentShape(model)), 1, _ -> { }).pixels();
        }
    }

    private static float[] plain(StableDiffusion model) {
        return new Sampler(model, SETTINGS).images(List.of("a cat"), new ChainNoise.Keyed(0, 0, SETTINGS.latentShape(model)), 1, _ -> { }).pixels();
    }

    @Test void updatesAreWornAtTheirStepsAlone() throws IOException {
        try (CpuBackend backend = new CpuBackend(); StableDiffusion model = StableDiffusion.load(backend, Golden.path("ci-sd/model"))) {
            float[] base = plain(model);
            float[] always;
            try (LoraWeights _ = LoraWeights.of(model, updates(), 1)) {
                always = plain(model);
            }
            assertArrayEquals(base, image(model, _ -> false));
            assertArrayEquals(always, image(model, _ -> true));
            float[] first = image(model, step -> step == 0);
            float[] last = image(model, step -> step == 2);
            assertFalse(Arrays.equals(first, last) || Arrays.equals(first, base) || Arrays.equals(last, base) || Arrays.equals(last, always));
            assertArrayEquals(base, plain(model), "nothing is left on the model");
        }
    }
}
