package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.DifferentiableReward;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// Which image of a prompt people pick: the cosine of image and text features times the model's own `exp(logit_scale)`, about 17..24 with PickScore's weights.
///
/// The difference of two scores is the logit of the choice between them, so that the scale belongs to the score. It holds both towers and the
/// features of the prompts seen in backend memory; {@link #close()} frees them.
/// Source: arXiv 2305.01569. Parity: the model card's `logit_scale.exp() * (text_embs @ image_embs.T)`.
public final class PickScore implements DifferentiableReward {
    private final ClipSimilarity similarity;

    private PickScore(ClipSimilarity similarity) {
        this.similarity = similarity;
    }

    /// Loads a CLIP folder by transformers' names, such as `yuvalkirstain/PickScore_v1`, and preprocesses as it says.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link ClipModel#load}
    public static PickScore load(Backend backend, Path folder) throws IOException {
        return new PickScore(ClipSimilarity.load(backend, folder));
    }

    /// As {@link #load(Backend, Path)}, resized another way.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link ClipModel#load}
    public static PickScore load(Backend backend, Path folder, Resampling how) throws IOException {
        return new PickScore(ClipSimilarity.load(backend, folder, how));
    }

    @Override public String name() {
        return "pickscore";
    }

    @Override public void prepare(List<String> prompts) {
        similarity.prepare(prompts);
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]; of a rectangle, the centre counts
    /// @throws IllegalArgumentException unless there is one prompt for each image
    @Override public Var score(Var pixels, List<String> prompts) {
        Var scale = pixels.tape().parameter(similarity.model().logitScale()).apply(Unary.EXP);
        return similarity.score(pixels, prompts).times(scale.reshape(1));
    }

    @Override public void close() {
        similarity.close();
    }
}
