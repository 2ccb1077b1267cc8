package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Var;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.Truncation;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// Reward backpropagation: the reward's gradient through reward, VAE and the kept denoising steps. Source: AlignProp (arXiv 2310.03739).
///
/// Owns no weights: gradients go to whatever is trainable in the chain's UNet, and to the initial latent if it is asked for.
public final class AlignProp extends DirectMethod {

    /// Denoising steps, the decoder's blocks and the reward run again for their backward pass; inside each, everything is stored.
    public static final Segment.Policy RECOMPUTE_OUTERMOST = path -> {
        String inside = path.startsWith(RewardGradient.DECODE + "/") ? path.substring(RewardGradient.DECODE.length() + 1) : path;
        return path.equals(RewardGradient.DECODE) || inside.contains("/") ? Segment.Retention.STORE : Segment.Retention.RECOMPUTE;
    };

    private final RewardGradient gradient;
    private final Truncation truncation;

    /// @param truncation which steps are differentiated
    public AlignProp(Parts parts, DifferentiableReward reward, Truncation truncation) {
        super(parts);
        this.truncation = truncation;
        gradient = new RewardGradient(parts, reward);
    }

    /// What a pass computed, alive until the pass ends.
    ///
    /// @param pixels `[B,H,W,3]` in [0,1]
    /// @param scores `[B]`
    /// @param losses `[B]`
    public record Pass(Var latent, DdimChain.Trajectory trajectory, Var pixels, Var scores, Var losses) {
    }

    /// Drawn from a stream of the update's own: one draw for all its micro-batches, wherever they are.
    private BitSet kept(Update update) {
        return truncation.draw(update.stream(update.number()), parts.chain().schedule().steps());
    }

    @Override int steps(Update update) {
        return kept(update).cardinality();
    }

    @Override void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward) {
        BitSet kept = kept(update);
        gradient.differentiate(batch.prompts(), weight, gradients, tape -> {
            Var context = tape.constant(batch.context());
            DdimChain.Trajectory t = parts.chain().run(tape.constant(batch.latents()), context, kept, i -> tape.constant(batch.noise().apply(i)), progress);
            return new Drawn(t.last(), context, visits(t, kept));
        }, forward);
    }

    /// The kept steps of a trajectory.
    static List<Drawn.Visit> visits(DdimChain.Trajectory t, BitSet kept) {
        List<Drawn.Visit> visits = new ArrayList<>();
        kept.stream().forEach(i -> visits.add(new Drawn.Visit(i, t.latents().get(i), t.predictions().get(i))));
        return visits;
    }

    /// Runs the chain, scores the images, and adds the gradient of `weight · Σ loss` to `gradients`.
    ///
    /// @param kept steps whose predicted noise keeps its gradient
    /// @param weight share of an image in the update: 1/images, so that micro-batches add up to the mean
    /// @param latentGradient whether the initial latent's gradient is wanted as well (`gradients.of(pass.latent())`)
    /// @param progress is told each denoising step when it is done
    /// @param forward is shown the forward pass before the backward pass empties the tape
    public void differentiate(Batch batch, BitSet kept, double weight, boolean latentGradient, Gradients gradients, IntConsumer progress, Consumer<Pass> forward) {
        Var[] latent = new Var[1];
        DdimChain.Trajectory[] trajectory = new DdimChain.Trajectory[1];
        gradient.differentiate(batch.prompts(), weight, gradients, tape -> {
            latent[0] = latentGradient ? tape.input(batch.latents()) : tape.constant(batch.latents());
            Var context = tape.constant(batch.context());
            trajectory[0] = parts.chain().run(latent[0], context, kept, i -> tape.constant(batch.noise().apply(i)), progress);
            return new Drawn(trajectory[0].last(), context, visits(trajectory[0], kept));
        }, pass -> forward.accept(new Pass(latent[0], trajectory[0], pass.pixels(), pass.scores(), pass.losses())));
    }
}
