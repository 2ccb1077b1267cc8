package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.RewardFiles;
import dev.retrograd.unet.StateDict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// How beautiful people find an image, about 1..10: LAION's aesthetic predictor, five linear layers on CLIP's image features of unit length.
///
/// It holds CLIP's image tower and the head in backend memory; {@link #close()} frees both. The text tower is not loaded.
/// Source: LAION's improved aesthetic predictor, v2. Parity: AlignProp `aesthetic_loss_fn`, whose loss is |10 − score|.
public final class AestheticScore implements DifferentiableReward {
    /// Names of the head's file.
    static final List<String> HEADS = List.of("aesthetic_head.safetensors", "sac+logos+ava1-l14-linearMSE.safetensors", "sac+logos+ava1-l14-linearMSE.pth");

    private final StateDict weights;
    private final ClipVisionEncoder vision;
    private final ClipImageTransform transform;
    private final FeatureHead head;

    private AestheticScore(Backend backend, ClipConfig config, StateDict weights, HeadWeights head, ClipPreprocessing preprocessing) throws IOException {
        this.weights = weights;
        vision = new ClipVisionEncoder(config.vision(), config.projection(), weights);
        weights.requireAllRead(AestheticScore::beside);
        transform = new ClipImageTransform(backend, preprocessing);
        this.head = FeatureHead.frozen(backend, head);
    }

    private static boolean beside(String name) {
        return name.startsWith("text_model.") || name.startsWith("text_projection.") || name.equals("logit_scale") || name.equals("vision_model.embeddings.position_ids");
    }

    /// Loads a folder that holds CLIP as transformers has it (`config.json`, `model.safetensors` or `pytorch_model.bin`, also in several files) and the head, under the name
    /// `sac+logos+ava1-l14-linearMSE.pth` that it is published by, or `.safetensors`, or `aesthetic_head.safetensors`.
    /// Images are normalised as the folder's `preprocessor_config.json` says, or as CLIP's without one.
    ///
    /// @param how images are resized; {@link ClipPreprocessing#ALIGNPROP} is the paper's
    /// @throws ModelFormatException if a file is missing, damaged or not supported, or the head takes features of another length; the message names it
    public static AestheticScore load(Backend backend, Path folder, Resampling how) throws IOException {
        return load(backend, folder, Optional.empty(), how);
    }

    /// As {@link #load(Backend, Path, Resampling)}, with a head from elsewhere.
    ///
    /// @param headFile the head as published or as safetensors; empty for the one in the folder
    /// @throws ModelFormatException as there
    public static AestheticScore load(Backend backend, Path folder, Optional<Path> headFile, Resampling how) throws IOException {
        return load(backend, folder, headFile.isPresent() ? headFile.get() : RewardFiles.find(folder, HEADS), how);
    }

    private static AestheticScore load(Backend backend, Path folder, Path headFile, Resampling how) throws IOException {
        ClipConfig config = ClipConfig.read(folder.resolve("config.json"));
        HeadWeights head = HeadWeights.read(headFile);
        ClipPreprocessing preprocessing = ClipPreprocessing.read(folder, config.vision().imageSize()).with(how);
        if (head.features() != config.projection()) {
            throw new ModelFormatException(headFile + ": the head must take features of length " + config.projection() + " (projection_dim), got one for " + head.features());
        }
        try (TensorFile tensors = RewardFiles.openTransformers(folder)) {
            StateDict weights = new StateDict(tensors.source(), tensors, backend);
            boolean loaded = false;
            try {
                AestheticScore reward = new AestheticScore(backend, config, weights, head, preprocessing);
                loaded = true;
                return reward;
            } finally {
                if (!loaded) {
                    weights.close();
                }
            }
        }
    }

    @Override public String name() {
        return "aesthetic";
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]; of a rectangle, the centre counts
    /// @param prompts not read
    @Override public Var score(Var pixels, List<String> prompts) {
        Var features = vision.forward(transform.forward(pixels)).features();
        return head.forward(pixels.tape().named("image_embeds_normalised", UnitLength.of(features)));
    }

    @Override public void close() {
        head.close();
        transform.close();
        weights.close();
    }
}
