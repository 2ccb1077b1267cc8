package dev.retrograd.rewards.clip;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Unary;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.rewards.RewardFiles;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.text.TextCleaning;
import dev.retrograd.unet.text.TokenizerOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// CLIP models as open_clip saves them: its names, its configuration, its tokenizer's padding with 0. Parity: open_clip `CLIP`.
final class OpenClip {
    private static final String CONFIG = "open_clip_config.json";
    /// open_clip's `ViT-H-14`, for checkpoints that come without a configuration; their shapes are checked against it.
    private static final Architecture VIT_H_14 = new Architecture(1024, new ClipVisionConfig(224, 14, 1280, 5120, 32, 16, 1e-5, Unary.GELU),
            new ClipTextConfig(49_408, 1024, 4096, 24, 16, 77, 1e-5, Unary.GELU, Architecture.LARGEST_ID), List.of(), List.of());
    /// Feed-forward rows of a layer for each of its columns.
    private static final double FEED_FORWARD = 4;

    private OpenClip() {
    }

    /// A model's sizes.
    ///
    /// @param mean of each colour; none for CLIP's
    /// @param std of each colour; none for CLIP's
    private record Architecture(int projection, ClipVisionConfig vision, ClipTextConfig text, List<Double> mean, List<Double> std) {
        /// Texts are read at the place of the largest id, which is the end token's.
        static final int LARGEST_ID = 2;

        ClipPreprocessing preprocessing(Resampling how) {
            ClipPreprocessing usual = ClipPreprocessing.of(vision.imageSize(), how);
            return new ClipPreprocessing(usual.shorterEdge(), usual.crop(), how, mean.isEmpty() ? usual.mean() : mean, std.isEmpty() ? usual.std() : std);
        }
    }

    /// Loads a checkpoint.
    ///
    /// @param path the checkpoint, or a folder with it; `open_clip_config.json` beside it, else it is a ViT-H/14
    /// @param names of the checkpoint in a folder
    /// @param tokenizer with CLIP's vocabulary, used as open_clip does; empty where texts come as ids
    /// @throws ModelFormatException if a file is missing, damaged, or describes what is not supported; the message names it
    static ClipModel load(Backend backend, Path path, List<String> names, Optional<ClipTokenizer> tokenizer, Resampling how) throws IOException {
        Path file = Files.isRegularFile(path) ? path : RewardFiles.find(path, names);
        Path config = file.resolveSibling(CONFIG);
        Architecture a = Files.exists(config) ? read(config) : VIT_H_14;
        Optional<ClipTokenizer> padded = tokenizer.map(t -> t.with(new TokenizerOptions(TextCleaning.OPENAI, 0, a.text().positions())));
        try (TensorFile tensors = new OpenClipNames(TensorFile.open(file))) {
            return ClipModel.of(backend, file.toString(), new ClipConfig(a.text(), a.vision(), a.projection()), tensors, a.preprocessing(how), padded);
        }
    }

    private static Architecture read(Path file) throws IOException {
        ModelConfig all = ModelConfig.read(file);
        ModelConfig c = all.object("model_cfg");
        int projection = c.integer("embed_dim");
        Unary activation = c.flag("quick_gelu", false) ? Unary.QUICK_GELU : Unary.GELU;
        ModelConfig vision = c.object("vision_cfg");
        ModelConfig text = c.object("text_cfg");
        c.done();
        ModelConfig p = all.object("preprocess_cfg");
        Architecture a = new Architecture(projection, vision(vision, activation), text(text, activation), colours(p, "mean"), colours(p, "std"));
        // How open_clip's evaluation resizes is not how rewards do.
        p.ignore("interpolation", "resize_mode", "size", "mode", "fill_color");
        p.done();
        all.done();
        return a;
    }

    private static ClipVisionConfig vision(ModelConfig c, Unary activation) throws IOException {
        int width = c.integer("width");
        int headWidth = c.has("head_width") ? c.integer("head_width") : 64;
        if (width % headWidth != 0) {
            throw c.refuse("'width' must divide by 'head_width', got " + width + " and " + headWidth);
        }
        ClipVisionConfig config = new ClipVisionConfig(c.integer("image_size"), c.integer("patch_size"), width, (int) (width * c.number("mlp_ratio", FEED_FORWARD)),
                c.integer("layers"), width / headWidth, 1e-5, activation);
        c.done();
        if (config.patchSize() > config.imageSize()) {
            throw c.refuse("'patch_size' must be at most 'image_size' " + config.imageSize() + ", got " + config.patchSize());
        }
        return config;
    }

    private static ClipTextConfig text(ModelConfig c, Unary activation) throws IOException {
        int width = c.integer("width");
        int heads = c.integer("heads");
        if (width % heads != 0) {
            throw c.refuse("'width' must divide by 'heads', got " + width + " and " + heads);
        }
        ClipTextConfig config = new ClipTextConfig(c.integer("vocab_size"), width, (int) (width * c.number("mlp_ratio", FEED_FORWARD)), c.integer("layers"), heads,
                c.integer("context_length"), 1e-5, activation, Architecture.LARGEST_ID);
        c.done();
        return config;
    }

    private static List<Double> colours(ModelConfig c, String key) throws ModelFormatException {
        return c.has(key) ? Arrays.stream(c.numbers(key, 3)).boxed().toList() : List.of();
    }
}
