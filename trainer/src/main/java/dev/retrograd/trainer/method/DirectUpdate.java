package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.PixelBatch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// The update of a method that samples images and differentiates their reward at once: micro-batch after micro-batch, each with its share of the mean.
final class DirectUpdate {
    private DirectUpdate() {
    }

    /// What the method does with one micro-batch.
    @FunctionalInterface
    interface Pass {

        /// @param weight share of an image in the update
        /// @param progress is told each denoising step when it is done
        /// @param forward takes down scores and losses
        void run(Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward);
    }

    /// @param k differentiated steps
    static Outcome of(Update update, Parts parts, Gradients gradients, int k, Pass pass) {
        Backend backend = parts.model().backend();
        int steps = parts.chain().schedule().steps();
        long total = (long) update.images() * steps;
        float[] rewards = new float[update.images()];
        double[] loss = new double[1];
        String what = "update " + (update.number() + 1);
        update.progress(what, 0, total);
        update.forEachMicroBatch((first, count) -> {
            long done = (long) first * steps;
            List<PixelBatch> seen = new ArrayList<>();
            List<String> prompts;
            try (Scope _ = backend.memory().open("micro-batch")) {
                Batch batch = update.batch(update.number(), first, count);
                prompts = batch.prompts();
                pass.run(batch, gradients, 1.0 / update.images(), i -> update.progress(what, done + (long) (i + 1) * count, total), p -> {
                    float[] scores = backend.toFloats(p.scores().value());
                    System.arraycopy(scores, 0, rewards, first, count);
                    for (float l : backend.toFloats(p.losses().value())) {
                        loss[0] += l / update.images();
                    }
                    if (update.measures()) {
                        seen.add(PixelBatch.of(backend, p.pixels().value()));
                    }
                });
            }
            seen.forEach(images -> update.measure(images, prompts));
        });
        return new Outcome(k, rewards, loss[0], new LinkedHashMap<>());
    }
}
