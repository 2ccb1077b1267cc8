package dev.retrograd.unet;

import java.util.function.IntConsumer;
import java.util.function.IntPredicate;

/// Wears low-rank updates at some denoising steps only: told each step before the UNet runs, it puts them on or takes them off.
///
/// Source: arXiv 2310.03739, figure 3, which switches the LoRA off over ranges of timesteps. To be closed before the updates are.
public final class LoraGate implements IntConsumer, AutoCloseable {
    private final LoraWeights updates;
    private final IntPredicate worn;
    private boolean on = true;

    /// @param updates attached to their model
    /// @param worn whether they are worn at a step, 0 (pure noise) .. steps − 1
    public LoraGate(LoraWeights updates, IntPredicate worn) {
        this.updates = updates;
        this.worn = worn;
    }

    @Override public void accept(int step) {
        wear(worn.test(step));
    }

    private void wear(boolean next) {
        if (next && !on) {
            updates.attach();
        } else if (!next && on) {
            updates.detach();
        }
        on = next;
    }

    /// Puts the updates on again.
    @Override public void close() {
        wear(true);
    }
}
