package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.DdimChain;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// DRaFT's low-variance estimate: the last step is differentiated, then the clean latent is noised again to that step's level several times, and
/// each time the step is taken and differentiated anew. Source: DRaFT (arXiv 2309.17400), algorithm 1.
///
/// The loss is the mean over the sampled image and its renoised versions, where the paper sums. Every version starts from the sampled image.
final class DraftLv extends DirectMethod {
    private final RewardGradient gradient;
    private final int renoisings;

    /// @param renoisings the paper's n, 2
    public DraftLv(Parts parts, DifferentiableReward reward, int renoisings) {
        super(parts);
        this.renoisings = renoisings;
        gradient = new RewardGradient(parts, reward);
    }

    @Override int steps(Update update) {
        return 1 + renoisings;
    }

    @Override void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward) {
        Backend b = parts.model().backend();
        DdimChain chain = parts.chain();
        int last = chain.schedule().steps() - 1;
        double share = weight / (1 + renoisings);
        BitSet kept = new BitSet();
        kept.set(last);
        Tensor clean = b.empty("clean", batch.latents().spec());
        gradient.differentiate(batch.prompts(), share, gradients, tape -> {
            Var context = tape.constant(batch.context());
            DdimChain.Trajectory t = chain.run(tape.constant(batch.latents()), context, kept, i -> tape.constant(batch.noise().apply(i)), progress);
            b.convert(t.last().value(), clean);
            return new Drawn(t.last(), context, AlignProp.visits(t, kept));
        }, forward);
        for (int i = 0; i < renoisings; i++) {
            RandomStream[] streams = streams(update, batch, i);
            try (Scope _ = b.memory().open("renoised")) {
                gradient.differentiate(batch.prompts(), share, gradients, tape -> again(tape, batch, clean, streams), _ -> { });
            }
        }
    }

    private static RandomStream[] streams(Update update, Batch batch, int renoising) {
        RandomStream[] all = new RandomStream[batch.prompts().size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = update.stream(update.number(), batch.first() + i, renoising);
        }
        return all;
    }

    /// The last step from `√ᾱ·x0 + √(1−ᾱ)·ε`.
    private Drawn again(Tape tape, Batch batch, Tensor clean, RandomStream... streams) {
        DdimChain chain = parts.chain();
        int last = chain.schedule().steps() - 1;
        Var x = tape.constant(Renoising.of(parts.model(), clean, chain.schedule().timestep(last), streams));
        Var context = tape.constant(batch.context());
        Var eps = chain.predict(last, x, context);
        return new Drawn(chain.step(last).clean(x, eps), context, List.of(new Drawn.Visit(last, x, eps)));
    }
}
