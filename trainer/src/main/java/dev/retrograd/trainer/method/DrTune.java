package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.RandomStream;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.DdimChain;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// Deep reward tuning: a few equally spaced steps are differentiated, and the UNet's input is cut off, so that gradients reach early steps through
/// the sampler's linear path alone and do not explode. Source: arXiv 2405.00760 (ECCV 2024).
///
/// The spacing is ⌊steps/K⌋ and the first trained step is drawn anew for each update. The paper's further option of ending the chain early is left out.
public final class DrTune extends DirectMethod {
    private final RewardGradient gradient;
    private final int trained;

    /// @param trained differentiated steps, 1..steps
    public DrTune(Parts parts, DifferentiableReward reward, int trained) {
        super(parts);
        this.trained = trained;
        gradient = new RewardGradient(parts, reward);
    }

    @Override int steps(Update update) {
        return trained;
    }

    @Override void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward) {
        BitSet kept = spaced(update.stream(update.number()), parts.chain().schedule().steps(), trained);
        gradient.differentiate(batch.prompts(), weight, gradients, tape -> draw(tape, batch, kept, progress), forward);
    }

    /// `trained` steps, ⌊steps/trained⌋ apart, from a random first one on.
    static BitSet spaced(RandomStream stream, int steps, int trained) {
        int apart = steps / trained;
        int first = (int) stream.randint(0, steps - (long) apart * (trained - 1));
        BitSet kept = new BitSet(steps);
        for (int i = 0; i < trained; i++) {
            kept.set(first + i * apart);
        }
        return kept;
    }

    private Drawn draw(Tape tape, Batch batch, BitSet kept, IntConsumer progress) {
        DdimChain chain = parts.chain();
        Var context = tape.constant(batch.context());
        Var x = tape.constant(batch.latents());
        List<Drawn.Visit> visits = new ArrayList<>();
        for (int i = 0; i < chain.schedule().steps(); i++) {
            int step = i;
            Var input = x.detach();
            Var eps = kept.get(i) ? chain.predict(i, input, context) : tape.unrecorded(() -> chain.predict(step, input, context));
            if (kept.get(i)) {
                visits.add(new Drawn.Visit(i, input, eps));
            }
            x = chain.advance(i, x, eps, n -> tape.constant(batch.noise().apply(n)));
            progress.accept(i);
        }
        return new Drawn(x, context, visits);
    }
}
