package dev.retrograd.trainer.method;

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

/// Images and their rewards with nothing recorded, for methods that need no gradient of the reward.
final class Sampling {
    private Sampling() {
    }

    /// Is shown each micro-batch's trajectory while it is there.
    @FunctionalInterface
    interface Visitor {
        void visit(int first, DdimChain.Trajectory trajectory);
    }

    /// Samples images `0..total − 1` of this update's draw.
    ///
    /// @return what is to be raised, of each: the reward, or minus what `--target` and the like make of it to be minimised
    static Rewards of(Update update, Parts parts, int total, Visitor visitor) {
        Backend b = parts.model().backend();
        int steps = parts.chain().schedule().steps();
        Scoring scoring = new Scoring(b, update.microBatch());
        float[] rewards = new float[total];
        float[] gains = new float[total];
        String what = "sampling for update " + (update.number() + 1);
        long work = (long) total * steps;
        update.progress(what, 0, work);
        for (int first = 0; first < total; first += update.microBatch()) {
            int from = first;
            int count = Math.min(update.microBatch(), total - first);
            PixelBatch images;
            try (Scope _ = b.memory().open("micro-batch"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                Batch batch = update.batch(update.number(), from, count);
                images = tape.unrecorded(() -> {
                    DdimChain.Trajectory t = parts.chain().run(tape.constant(batch.latents()), tape.constant(batch.context()), new BitSet(), i -> tape.constant(batch.noise().apply(i)),
                            i -> update.progress(what, (long) from * steps + (long) (i + 1) * count, work));
                    visitor.visit(from, t);
                    Var pixels = Pixels.of(Pixels.image(parts.model().vaeDecoder(), t.last()));
                    return PixelBatch.of(b, pixels.value());
                });
            }
            float[] scores = scoring.of(parts.reward(), images, update.prompts(update.number(), from, count));
            for (int i = 0; i < count; i++) {
                rewards[from + i] = scores[i];
                gains[from + i] = (float) -parts.loss().of(scores[i]);
            }
            if (update.measures()) {
                update.measure(images, update.prompts(update.number(), from, count));
            }
        }
        return new Rewards(rewards, gains);
    }

    /// @param rewards as the reward gives them
    /// @param gains what is to be raised
    record Rewards(float[] rewards, float[] gains) {
    }
}
