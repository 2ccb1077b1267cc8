package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeEncoder;
import java.util.ArrayList;
import java.util.List;

/// Training scenes and the latents of their pictures, encoded once.
///
/// @param values of each scene, `[8,8,4]`: the latent's mean times the scaling factor
record Latents(List<Scene> scenes, List<float[]> values) {
    private static final int BATCH = 50;

    static Latents encode(Backend backend, Recipe recipe, VaeEncoder encoder, VaeConfig config) {
        List<Scene> scenes = new ArrayList<>();
        List<float[]> values = new ArrayList<>();
        for (int chunk = 0; scenes.size() < recipe.latents(); chunk++) {
            int count = Math.min(BATCH, recipe.latents() - scenes.size());
            Examples examples = Examples.draw(recipe, StageKey.LATENTS, chunk, count);
            scenes.addAll(examples.scenes());
            try (Scope _ = backend.memory().open("latents"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
                Var image = t.constant(examples.images(backend));
                Var latent = t.unrecorded(() -> encoder.mean(encoder.forward(image)).affine(config.scalingFactor(), 0));
                float[] all = backend.toFloats(latent.value());
                int each = all.length / count;
                for (int i = 0; i < count; i++) {
                    values.add(java.util.Arrays.copyOfRange(all, i * each, (i + 1) * each));
                }
            }
        }
        return new Latents(scenes, values);
    }

    /// `[B,8,8,4]` for B latents.
    Shape batchShape(int batch) {
        int side = (int) Math.sqrt(values.getFirst().length / 4.0);
        return Shape.of(batch, side, side, 4);
    }
}
