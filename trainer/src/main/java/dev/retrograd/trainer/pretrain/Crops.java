package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;

/// What the autoencoder learns from: at first squares cut from pictures around an object, since most of a whole picture is background, from which
/// little is learned; then whole pictures, one for as many pixels.
final class Crops {
    /// Share of the updates that see squares.
    private static final double CROPPED = 0.6;
    private static final int CROP = 32;
    private static final int JITTER = 8;
    private static final int CROPS_PER_PICTURE = (World.SIZE / CROP) * (World.SIZE / CROP);

    private Crops() {
    }

    /// The images of a step, `[B,32,32,3]` or `[B/4,64,64,3]`.
    static Tensor images(Backend backend, Recipe recipe, StageKey stage, int step, FitSettings settings) {
        if (step >= CROPPED * settings.steps()) {
            return Examples.draw(recipe, stage, step, Math.max(1, settings.batch() / CROPS_PER_PICTURE)).images(backend);
        }
        int batch = settings.batch();
        Examples examples = Examples.draw(recipe, stage, step, batch);
        RandomStream random = recipe.noise(stage, -1 - step);
        float[] crops = new float[batch * CROP * CROP * 3];
        for (int i = 0; i < batch; i++) {
            Place place = examples.scenes().get(i).first().place();
            int left = corner(place.x(), random);
            int top = corner(place.y(), random);
            for (int y = 0; y < CROP; y++) {
                System.arraycopy(examples.pictures().get(i), ((top + y) * World.SIZE + left) * 3, crops, (i * CROP + y) * CROP * 3, CROP * 3);
            }
        }
        return backend.floats("crops", Shape.of(batch, CROP, CROP, 3), crops);
    }

    private static int corner(double center, RandomStream random) {
        int around = (int) center - CROP / 2 + (int) random.randint(-JITTER, JITTER + 1);
        return Math.clamp(around, 0, World.SIZE - CROP);
    }
}
