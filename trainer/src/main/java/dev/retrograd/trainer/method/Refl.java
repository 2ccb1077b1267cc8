package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.DdimChain;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// Reward feedback learning: the chain runs unrecorded up to a random step of its last quarter, and the reward of the clean latent that this one
/// step's prediction implies is differentiated through it. Source: ImageReward (arXiv 2304.05977), algorithm 1. Parity: ImageReward `ReFL.py`.
///
/// Upstream draws the stop from steps 30..39 of 40; here it is from ⌊¾·steps⌋ to the last.
final class Refl extends DirectMethod {
    private final RewardGradient gradient;

    public Refl(Parts parts, DifferentiableReward reward) {
        super(parts);
        gradient = new RewardGradient(parts, reward);
    }

    @Override int steps(Update update) {
        return 1;
    }

    @Override void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward) {
        int steps = parts.chain().schedule().steps();
        int stop = (int) update.stream(update.number()).randint(earliest(steps), steps);
        gradient.differentiate(batch.prompts(), weight, gradients, tape -> draw(tape, batch, stop, progress), forward);
    }

    /// The first step that the chain may stop at: 30 of 40.
    static int earliest(int steps) {
        return steps * 3 / 4;
    }

    private Drawn draw(Tape tape, Batch batch, int stop, IntConsumer progress) {
        DdimChain chain = parts.chain();
        Var context = tape.constant(batch.context());
        Var x = tape.constant(batch.latents());
        for (int i = 0; i < stop; i++) {
            int step = i;
            Var from = x;
            x = chain.advance(i, from, tape.unrecorded(() -> chain.predict(step, from, context)), n -> tape.constant(batch.noise().apply(n)));
            progress.accept(i);
        }
        Var eps = chain.predict(stop, x, context);
        progress.accept(chain.schedule().steps() - 1);
        return new Drawn(chain.step(stop).clean(x, eps), context, List.of(new Drawn.Visit(stop, x, eps)));
    }
}
