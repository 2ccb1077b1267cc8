package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.vae.Pixels;
import dev.retrograd.unet.vae.VaeDecoder;
import java.util.BitSet;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// Reward backpropagation: the reward's gradient through reward, VAE and the kept denoising steps. Source: AlignProp (arXiv 2310.03739).
///
/// Owns no weights: gradients go to whatever is trainable in the chain's UNet, and to the initial latent if it is asked for.
public final class AlignProp {
    private static final String DECODE = "decode";

    /// Denoising steps, the decoder's blocks and the reward run again for their backward pass; inside each, everything is stored.
    public static final Segment.Policy RECOMPUTE_OUTERMOST = path -> {
        String inside = path.startsWith(DECODE + "/") ? path.substring(DECODE.length() + 1) : path;
        return path.equals(DECODE) || inside.contains("/") ? Segment.Retention.STORE : Segment.Retention.RECOMPUTE;
    };

    private final Backend backend;
    private final DdimChain chain;
    private final VaeDecoder decoder;
    private final DifferentiableReward reward;
    private final RewardLoss loss;
    private final Segment.Policy policy;

    public AlignProp(Backend backend, DdimChain chain, VaeDecoder decoder, DifferentiableReward reward, RewardLoss loss, Segment.Policy policy) {
        this.backend = backend;
        this.chain = chain;
        this.decoder = decoder;
        this.reward = reward;
        this.loss = loss;
        this.policy = policy;
    }

    /// What a pass computed, alive until the pass ends.
    ///
    /// @param pixels `[B,H,W,3]` in [0,1]
    /// @param scores `[B]`
    /// @param losses `[B]`
    public record Pass(Var latent, DdimChain.Trajectory trajectory, Var pixels, Var scores, Var losses) {
    }

    /// Runs the chain, scores the images, and adds the gradient of `weight · Σ loss` to `gradients`.
    ///
    /// @param kept steps whose predicted noise keeps its gradient
    /// @param weight share of an image in the update: 1/images, so that micro-batches add up to the mean
    /// @param latentGradient whether the initial latent's gradient is wanted as well (`gradients.of(pass.latent())`)
    /// @param progress is told each denoising step when it is done
    /// @param forward is shown the forward pass before the backward pass empties the tape
    public void differentiate(Batch batch, BitSet kept, double weight, boolean latentGradient, Gradients gradients, IntConsumer progress, Consumer<Pass> forward) {
        reward.prepare(batch.prompts());
        try (Scope _ = backend.memory().open("batch"); Tape tape = new Tape(backend, policy)) {
            Var latent = latentGradient ? tape.input(batch.latents()) : tape.constant(batch.latents());
            Var context = tape.constant(batch.context());
            DdimChain.Trajectory trajectory = chain.run(latent, context, kept, i -> tape.constant(batch.noise().apply(i)), progress);
            // A segment, so that the decoder's states are gone before the denoising steps run backwards.
            Var pixels = tape.segment1(DECODE, in -> Pixels.of(Pixels.image(decoder, in[0])), trajectory.last());
            Var scores = tape.segment1("reward " + reward.name(), in -> reward.score(in[0], batch.prompts()), pixels);
            Var losses = loss.perImage(scores);
            forward.accept(new Pass(latent, trajectory, pixels, scores, losses));
            tape.backward(losses.apply(SumTo.all()).affine(weight, 0), gradients);
        }
    }
}
