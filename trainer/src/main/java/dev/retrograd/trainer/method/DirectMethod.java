package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.PixelBatch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/// A method that samples images and differentiates their reward at once: micro-batch after micro-batch, each with its share of the mean.
abstract class DirectMethod implements Method {
    private static final String DIFFERENTIATE = "differentiate";
    private static final String REWARDS = "rewards";
    private static final String LOSSES = "losses";

    final Parts parts;

    DirectMethod(Parts parts) {
        this.parts = parts;
    }

    /// Differentiated steps of an update.
    abstract int steps(Update update);

    /// What the method does with one micro-batch; what it draws for the update as a whole depends on nothing but the update's number.
    ///
    /// @param weight share of an image in the update
    /// @param progress is told each denoising step when it is done
    /// @param forward takes down scores and losses
    abstract void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward);

    @Override public final Outcome update(Update update, MicroBatches batches, Gradients gradients) {
        long work = (long) update.images() * parts.chain().schedule().steps();
        List<MicroBatch.Result> results = batches.compute(update.microBatches(DIFFERENTIATE, update.images()), "update " + (update.number() + 1), work, gradients);
        double loss = 0;
        for (float l : MicroBatch.join(results, LOSSES)) {
            loss += l / update.images();
        }
        return new Outcome(steps(update), MicroBatch.join(results, REWARDS), loss, new LinkedHashMap<>());
    }

    @Override public final MicroBatch.Result compute(Update update, MicroBatch part, Gradients gradients, LongConsumer done) {
        Backend backend = parts.model().backend();
        SequencedMap<String, float[]> columns = new LinkedHashMap<>();
        List<Runnable> arrivals = new ArrayList<>();
        int[] before = new int[1];
        try (Scope _ = backend.memory().open(MicroBatch.SCOPE)) {
            Batch batch = update.batch(update.number(), part.first(), part.count());
            List<String> prompts = batch.prompts();
            run(update, batch, gradients, 1.0 / update.images(), step -> {
                done.accept((long) (step + 1 - before[0]) * part.count());
                before[0] = step + 1;
            }, pass -> {
                // Taken when the backward pass has been asked for: a device goes on to it without waiting for the host.
                Supplier<float[]> rewards = backend.startToFloats(pass.scores().value());
                Supplier<float[]> losses = backend.startToFloats(pass.losses().value());
                arrivals.add(() -> columns.put(REWARDS, rewards.get()));
                arrivals.add(() -> columns.put(LOSSES, losses.get()));
                if (update.measures()) {
                    Supplier<PixelBatch> images = PixelBatch.start(backend, pass.pixels().value());
                    arrivals.add(() -> update.measure(images.get(), prompts));
                }
            });
        }
        arrivals.forEach(Runnable::run);
        return new MicroBatch.Result(columns);
    }
}
