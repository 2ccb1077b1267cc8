package dev.retrograd.trainer;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.ImageFeatures;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/// How much the images of one prompt differ: the mean distance, `1 − cosine`, of their CLIP features over all pairs, averaged over some prompts. A
/// model that collapses onto one picture has 0.
final class Diversity {
    /// Images of each prompt: six pairs.
    static final int IMAGES = 4;
    /// Keys the noise apart from that of every update and of the sample grids.
    private static final int NO_UPDATE = -2;

    private final Backend backend;
    private final Sampler sampler;
    private final ImageFeatures clip;
    private final List<String> prompts;
    private final ChainNoise noise;
    private final int atOnce;

    /// @param prompts each of which {@link #IMAGES} images are drawn for
    /// @param seed of their noise, the same at every measurement
    Diversity(Backend backend, Sampler sampler, ImageFeatures clip, List<String> prompts, long seed, int atOnce, int... latentShape) {
        this.backend = backend;
        this.sampler = sampler;
        this.clip = clip;
        this.prompts = prompts.stream().flatMap(p -> java.util.Collections.nCopies(IMAGES, p).stream()).toList();
        this.atOnce = atOnce;
        noise = new ChainNoise.Keyed(seed, NO_UPDATE, latentShape);
    }

    int images() {
        return prompts.size();
    }

    /// Samples and measures, with the weights as they are.
    double measure(IntConsumer progress) {
        PixelBatch images = sampler.images(prompts, noise, atOnce, progress);
        int values = images.height() * images.width() * 3;
        double sum = 0;
        for (int first = 0; first < images.batch(); first += IMAGES) {
            sum += distance(features(new PixelBatch(Arrays.copyOfRange(images.pixels(), first * values, (first + IMAGES) * values), IMAGES, images.height(), images.width())));
        }
        return sum / (images.batch() / IMAGES);
    }

    private float[] features(PixelBatch images) {
        try (Scope _ = backend.memory().open("diversity"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return tape.unrecorded(() -> backend.toFloats(clip.of(tape.constant(backend.floats("pixels", images.shape(), images.pixels()))).value()));
        }
    }

    /// Mean of `1 − cosine` over all pairs of the rows of unit length.
    static double distance(float... rows) {
        int width = rows.length / IMAGES;
        double sum = 0;
        int pairs = 0;
        for (int a = 0; a < IMAGES; a++) {
            for (int b = 0; b < a; b++) {
                double cosine = 0;
                for (int i = 0; i < width; i++) {
                    cosine += (double) rows[a * width + i] * rows[b * width + i];
                }
                sum += 1 - cosine;
                pairs++;
            }
        }
        return sum / pairs;
    }
}
