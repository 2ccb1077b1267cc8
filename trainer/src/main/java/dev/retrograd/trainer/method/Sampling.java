package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Scoring;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.vae.Pixels;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.LongConsumer;

/// Images and their rewards with nothing recorded, for methods that need no gradient of the reward.
final class Sampling {
    static final String SAMPLE = "sample";
    static final String REWARDS = "rewards";

    private Sampling() {
    }

    /// Takes numbers of each image from a micro-batch's trajectory, while it is there.
    @FunctionalInterface
    interface Visitor {
        void visit(DdimChain.Trajectory trajectory, SequencedMap<String, float[]> columns);
    }

    /// Has images `0..total − 1` of this update's draw sampled, by {@link #compute}.
    ///
    /// @param into takes what the visitor took of each
    /// @return what is to be raised, of each: the reward, or minus what `--target` and the like make of it to be minimised
    static Rewards of(Update update, MicroBatches batches, Parts parts, int total, Rollouts into, Gradients gradients) {
        List<MicroBatch> all = update.microBatches(SAMPLE, total);
        List<MicroBatch.Result> results = batches.compute(all, "sampling for update " + (update.number() + 1), (long) total * parts.chain().schedule().steps(), gradients);
        for (int i = 0; i < all.size(); i++) {
            MicroBatch part = all.get(i);
            results.get(i).columns().forEach((name, values) -> into.put(name, part.first(), part.count(), values));
        }
        float[] rewards = MicroBatch.join(results, REWARDS);
        float[] gains = new float[total];
        for (int i = 0; i < total; i++) {
            gains[i] = (float) -parts.loss().of(rewards[i]);
        }
        return new Rewards(rewards, gains);
    }

    /// Samples a micro-batch.
    static MicroBatch.Result compute(Update update, MicroBatch part, Parts parts, LongConsumer done, Visitor visitor) {
        Backend b = parts.model().backend();
        SequencedMap<String, float[]> columns = new LinkedHashMap<>();
        PixelBatch images;
        List<String> prompts;
        try (Scope _ = b.memory().open(MicroBatch.SCOPE); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Batch batch = update.batch(part.draw(), part.first(), part.count());
            prompts = batch.prompts();
            images = tape.unrecorded(() -> {
                DdimChain.Trajectory t = parts.chain().run(tape.constant(batch.latents()), tape.constant(batch.context()), new BitSet(), i -> tape.constant(batch.noise().apply(i)),
                        _ -> done.accept(part.count()));
                visitor.visit(t, columns);
                Var pixels = Pixels.of(Pixels.image(parts.model().vaeDecoder(), t.last()));
                return PixelBatch.of(b, pixels.value());
            });
        }
        columns.put(REWARDS, new Scoring(b, part.count()).of(parts.reward(), images, prompts));
        if (update.measures()) {
            update.measure(images, prompts);
        }
        return new MicroBatch.Result(columns);
    }

    /// @param rewards as the reward gives them
    /// @param gains what is to be raised
    record Rewards(float[] rewards, float[] gains) {
    }
}
