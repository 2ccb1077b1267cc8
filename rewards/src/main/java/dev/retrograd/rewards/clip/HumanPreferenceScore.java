package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// How well people find that an image fits its prompt (HPS v2): the cosine of image and text features of a CLIP ViT-H/14 that was trained on
/// their choices, about 0.2..0.35, without the logit scale. Papers print it times 10, as 2..3.5.
///
/// Versions 2.0 and 2.1 are different weights, whose scores do not compare. It holds both towers and the features of the prompts seen in
/// backend memory; {@link #close()} frees them. Source: arXiv 2306.09341. Parity: AlignProp `hps_loss_fn`, whose loss is 1 − score.
public final class HumanPreferenceScore implements DifferentiableReward {
    /// Names of the checkpoint in a folder.
    private static final List<String> CHECKPOINTS = List.of("HPS_v2_compressed.safetensors", "HPS_v2_compressed.pt", "HPS_v2.1_compressed.safetensors", "HPS_v2.1_compressed.pt",
            "open_clip_model.safetensors", "open_clip_pytorch_model.bin");

    private final ClipSimilarity similarity;

    private HumanPreferenceScore(ClipSimilarity similarity) {
        this.similarity = similarity;
    }

    /// Loads a checkpoint by open_clip's names, or a CLIP folder of transformers whose weights were trained on choices likewise.
    ///
    /// @param path the checkpoint (`HPS_v2_compressed.pt`, `HPS_v2.1_compressed.pt`, or the same as safetensors) or a folder with it; `open_clip_config.json` beside
    ///     it is read, without one it must be a ViT-H/14. A folder with none of these but `config.json` is transformers', as {@link ClipModel#load} takes it
    /// @param tokenizer with CLIP's vocabulary, for checkpoints, which have none; empty for {@link #score(Var, Var)} only
    /// @param how images are resized; {@link ClipPreprocessing#ALIGNPROP} is the paper's
    /// @throws dev.retrograd.core.io.ModelFormatException if a file is missing, damaged or not supported; the message names it
    public static HumanPreferenceScore load(Backend backend, Path path, Optional<ClipTokenizer> tokenizer, Resampling how) throws IOException {
        if (transformers(path)) {
            ClipModel model = ClipModel.load(backend, path);
            return new HumanPreferenceScore(new ClipSimilarity(model, model.preprocessing().with(how)));
        }
        ClipModel model = OpenClip.load(backend, path, CHECKPOINTS, tokenizer, how);
        return new HumanPreferenceScore(new ClipSimilarity(model, model.preprocessing()));
    }

    private static boolean transformers(Path path) {
        return Files.exists(path.resolve("config.json")) && CHECKPOINTS.stream().noneMatch(name -> Files.exists(path.resolve(name)));
    }

    /// The two towers.
    public ClipModel model() {
        return similarity.model();
    }

    @Override public String name() {
        return "hps";
    }

    @Override public void prepare(List<String> prompts) {
        similarity.prepare(prompts);
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]; of a rectangle, the centre counts
    /// @throws IllegalArgumentException unless there is one prompt for each image
    @Override public Var score(Var pixels, List<String> prompts) {
        return similarity.score(pixels, prompts);
    }

    /// As {@link #score(Var, List)}, with text features of unit length in place of prompts.
    ///
    /// @param text `[B,projection]`
    public Var score(Var pixels, Var text) {
        return similarity.score(pixels, text);
    }

    @Override public void close() {
        similarity.close();
    }
}
