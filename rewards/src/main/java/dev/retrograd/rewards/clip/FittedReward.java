package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.rewards.DifferentiableReward;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// A score that a small network reads off CLIP's image features, such as one fitted to a black-box score; differentiable in the pixels.
///
/// It holds the CLIP model and the head in backend memory; {@link #close()} frees both.
public final class FittedReward implements DifferentiableReward {
    private final ImageFeatures features;
    private final FeatureHead head;

    /// @param features is closed with this reward
    /// @param head is closed with this reward
    public FittedReward(ImageFeatures features, FeatureHead head) {
        this.features = features;
        this.head = head;
    }

    /// Loads a CLIP folder and the head that was fitted to its features.
    ///
    /// @param head a file in the format of {@link HeadWeights}
    /// @throws ModelFormatException if one of them is missing, damaged or not supported, or the head takes features of another length
    public static FittedReward load(Backend backend, Path clip, Path head) throws IOException {
        HeadWeights weights = HeadWeights.read(head);
        ImageFeatures features = ImageFeatures.load(backend, clip);
        if (features.width() != weights.features()) {
            features.close();
            throw new ModelFormatException(head + ": the head must take features of length " + features.width() + ", those of " + clip + ", got one for " + weights.features());
        }
        return new FittedReward(features, FeatureHead.frozen(backend, weights));
    }

    /// As the head's file says.
    @Override public String name() {
        return head.name();
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]
    /// @param prompts not read
    @Override public Var score(Var pixels, List<String> prompts) {
        return head.forward(features.of(pixels));
    }

    @Override public void close() {
        head.close();
        features.close();
    }
}
