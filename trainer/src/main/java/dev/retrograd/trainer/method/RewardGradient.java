package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.vae.Pixels;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/// What every method that differentiates a reward does with a clean latent: decodes it, scores the image, and sends the loss's gradient back
/// through the reward, the decoder and whatever the method recorded before.
final class RewardGradient {
    static final String DECODE = "decode";

    private final Parts parts;
    private final DifferentiableReward reward;

    RewardGradient(Parts parts, DifferentiableReward reward) {
        this.parts = parts;
        this.reward = reward;
    }

    /// What a pass computed, alive until the pass ends.
    ///
    /// @param pixels `[B,H,W,3]` in [0,1]
    /// @param scores `[B]`
    /// @param losses with the penalty on leaving the base model, `[B]`
    record Pass(Drawn drawn, Var pixels, Var scores, Var losses) {
    }

    /// Adds the gradient of `weight · Σ loss`.
    ///
    /// @param draw the chain, on a tape of its own
    /// @param forward is shown the forward pass before the backward pass empties the tape
    void differentiate(List<String> prompts, double weight, Gradients gradients, Function<Tape, Drawn> draw, Consumer<Pass> forward) {
        Backend backend = parts.model().backend();
        reward.prepare(prompts);
        try (Scope _ = backend.memory().open("batch"); Tape tape = new Tape(backend, parts.policy())) {
            Drawn drawn = draw.apply(tape);
            // A segment, so that the decoder's states are gone before the denoising steps run backwards.
            Var pixels = tape.segment1(DECODE, in -> Pixels.of(Pixels.image(parts.model().vaeDecoder(), in[0])), drawn.clean());
            Var scores = tape.segment1("reward " + reward.name(), in -> reward.score(in[0], prompts), pixels);
            Var losses = guarded(parts.loss().perImage(scores), drawn);
            forward.accept(new Pass(drawn, pixels, scores, losses));
            tape.backward(losses.apply(SumTo.all()).affine(weight, 0), gradients);
        }
    }

    /// The losses with the penalty, averaged over the differentiated steps.
    private Var guarded(Var losses, Drawn drawn) {
        KlGuard guard = parts.guard();
        if (!guard.active()) {
            return losses;
        }
        Var sum = losses;
        for (Drawn.Visit visit : drawn.visits()) {
            Var penalty = guard.penalty(visit.eps(), () -> parts.chain().predict(visit.step(), visit.x().detach(), drawn.context()));
            sum = sum.plus(penalty.affine(guard.coefficient() / drawn.visits().size(), 0));
        }
        return sum;
    }
}
