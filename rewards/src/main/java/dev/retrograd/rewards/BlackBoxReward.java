package dev.retrograd.rewards;

import java.util.List;

/// A score without a gradient, computed on the host: for evaluation, and for methods that need values only.
public non-sealed interface BlackBoxReward extends Reward {

    /// Scores images.
    ///
    /// @param prompts one for each image; read only by rewards of text and image
    /// @return a score for each image, more is better
    float[] score(PixelBatch images, List<String> prompts);
}
