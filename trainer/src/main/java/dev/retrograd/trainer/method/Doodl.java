package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.ReversibleEdict;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// Optimises the initial noise of each image instead of weights: the reward's gradient goes back through EDICT's whole chain, whose steps are undone
/// rather than stored. Source: DOODL (arXiv 2303.13703). Of the pair, the mean is decoded; the released code decodes both and adds their losses.
public final class Doodl extends DirectMethod {
    private final TrainedNoise noise;
    private final RewardGradient reward;
    private final ReversibleEdict chain;
    private final Backend backend;

    /// @param parts with noise to train, and EDICT's chain
    Doodl(Parts parts, DifferentiableReward reward) {
        super(parts);
        noise = parts.noise().orElseThrow(() -> new IllegalArgumentException("doodl: must have noise to optimise, got none"));
        this.reward = new RewardGradient(parts, reward);
        chain = parts.chain().reversible();
        backend = parts.model().backend();
    }

    @Override int steps(Update update) {
        return parts.chain().schedule().steps();
    }

    /// The gradient of each image's own loss, whatever its share of the mean: images are optimised apart from one another.
    @Override void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward) {
        Tensor dx = chain.gradient(backend, batch.latents(), batch.context(), parts.policy(), clean -> ofClean(batch, clean, forward), done -> {
            if (done % 2 == 1) {
                progress.accept(done / 2);
            }
        });
        for (int i = 0; i < batch.prompts().size(); i++) {
            Tensor row = backend.empty("gradient", dx.spec().with(dx.shape().with(0, 1)));
            backend.copySlice(dx, 0, i, row, 0, 1);
            gradients.add(noise.latents().get(batch.first() + i), row);
        }
    }

    private Tensor ofClean(Batch batch, Tensor clean, Consumer<RewardGradient.Pass> forward) {
        try (Gradients gradients = new Gradients(backend)) {
            Var[] leaf = new Var[1];
            reward.differentiate(batch.prompts(), 1, gradients, tape -> {
                leaf[0] = tape.input(clean);
                return new Drawn(leaf[0], tape.constant(batch.context()), List.of());
            }, forward);
            Tensor found = gradients.of(leaf[0]).orElseThrow(() -> new IllegalStateException("doodl: the reward must depend on the image"));
            Tensor copy = backend.empty("dclean", found.spec());
            backend.convert(found, copy);
            return copy;
        }
    }
}
