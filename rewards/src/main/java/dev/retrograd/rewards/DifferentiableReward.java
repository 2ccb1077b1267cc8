package dev.retrograd.rewards;

import dev.retrograd.autograd.Var;
import java.util.List;

/// A score that is differentiable in the pixels. Resizing and normalising are its own affair.
public non-sealed interface DifferentiableReward extends Reward {

    /// Scores images, recording on their tape; to be called inside a segment where its activations should be recomputed.
    ///
    /// @param pixels `[B,H,W,3]` RGB in [0,1], clamped by the caller
    /// @param prompts one for each of the B images; read only by rewards of text and image
    /// @return `[B]`, more is better
    /// @throws dev.retrograd.core.ShapeException if the pixels are not `[B,H,W,3]`
    Var score(Var pixels, List<String> prompts);

    /// Computes ahead what it needs of these prompts, outside of any tape; to be called before a pass that scores them.
    default void prepare(List<String> prompts) {
    }
}
