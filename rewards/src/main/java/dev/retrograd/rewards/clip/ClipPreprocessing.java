package dev.retrograd.rewards.clip;

import dev.retrograd.core.Resampling;
import dev.retrograd.core.Resampling.Filter;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// How CLIP's image tower wants its images. Parity: transformers `CLIPImageProcessor`, of which it is the settings.
///
/// @param shorterEdge rows or columns, whichever are fewer, after resizing; the aspect ratio stays
/// @param crop rows and columns cut from the centre
/// @param mean of each colour, in pixels [0,1]
/// @param std of each colour, in pixels [0,1]
public record ClipPreprocessing(int shorterEdge, int crop, Resampling how, List<Double> mean, List<Double> std) {
    /// What transformers' processor does by default, as PIL resizes.
    public static final Resampling TRANSFORMERS = new Resampling(Filter.BICUBIC, true);
    /// What the released AlignProp code does: torchvision's Resize on tensors, in the version that it pins.
    public static final Resampling ALIGNPROP = new Resampling(Filter.BILINEAR, false);

    /// Mean and deviation of CLIP's training images.
    private static final List<Double> CLIP_MEAN = List.of(0.48145466, 0.4578275, 0.40821073);
    private static final List<Double> CLIP_STD = List.of(0.26862954, 0.26130258, 0.27577711);

    /// @throws IllegalArgumentException unless 1 ≤ crop ≤ shorterEdge, with three means and three positive deviations
    public ClipPreprocessing {
        if (crop < 1 || crop > shorterEdge) {
            throw new IllegalArgumentException("clip preprocessing: the crop must be 1.." + shorterEdge + " (shorter edge), got " + crop);
        }
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        if (mean.size() != 3 || std.size() != 3 || !std.stream().allMatch(s -> s > 0)) {
            throw new IllegalArgumentException("clip preprocessing: three means and three positive deviations are required, got " + mean + " and " + std);
        }
    }

    /// The usual one for an image size: shorter edge and crop of that size, CLIP's mean and deviation.
    public static ClipPreprocessing of(int imageSize, Resampling how) {
        return new ClipPreprocessing(imageSize, imageSize, how, CLIP_MEAN, CLIP_STD);
    }

    /// The same but for the resampling.
    public ClipPreprocessing with(Resampling other) {
        return new ClipPreprocessing(shorterEdge, crop, other, mean, std);
    }

    /// Reads a folder's `preprocessor_config.json`; a folder without one means the usual for the image size.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException if the file asks for what is not supported, or for another size than the model takes
    public static ClipPreprocessing read(Path folder, int imageSize) throws IOException {
        Path file = folder.resolve("preprocessor_config.json");
        if (!Files.exists(file)) {
            return of(imageSize, TRANSFORMERS);
        }
        ModelConfig c = ModelConfig.read(file);
        for (String step : List.of("do_resize", "do_center_crop", "do_normalize", "do_rescale", "do_convert_rgb")) {
            c.only(step, "true");
        }
        double scale = c.number("rescale_factor", 1 / 255.0);
        if (Math.abs(scale * 255 - 1) > 1e-6) {
            throw c.refuse("'rescale_factor' must be 1/255, got " + scale);
        }
        int edge = edge(c, "size", "shortest_edge", imageSize);
        int crop = edge(c, "crop_size", "height", imageSize);
        if (crop != imageSize || crop > edge) {
            throw c.refuse("'crop_size' must be the model's image_size " + imageSize + " and at most 'size', got " + crop + " and " + edge);
        }
        int resample = c.integer("resample", 3);
        Resampling how = switch (resample) {
            case 2 -> new Resampling(Filter.BILINEAR, true);
            case 3 -> TRANSFORMERS;
            default -> throw c.refuse("'resample' must be 2 (bilinear) or 3 (bicubic), got " + resample);
        };
        List<Double> mean = c.has("image_mean") ? list(c.numbers("image_mean", 3)) : CLIP_MEAN;
        List<Double> std = c.has("image_std") ? list(c.numbers("image_std", 3)) : CLIP_STD;
        if (!std.stream().allMatch(s -> s > 0)) {
            throw c.refuse("'image_std' must be positive, got " + std);
        }
        c.ignore("feature_extractor_type", "image_processor_type", "processor_class", "default_to_square", "data_format", "input_data_format", "return_tensors",
                "device", "disable_grouping");
        c.done();
        return new ClipPreprocessing(edge, crop, how, mean, std);
    }

    /// A size, written as a number or as an object; a square where the object gives rows and columns.
    private static int edge(ModelConfig c, String key, String inObject, int missing) throws IOException {
        if (!c.has(key)) {
            return missing;
        }
        if (!c.isObject(key)) {
            return c.integer(key);
        }
        ModelConfig size = c.object(key);
        int edge = size.integer(inObject);
        size.only("width", String.valueOf(edge));
        size.done();
        return edge;
    }

    private static List<Double> list(double[] values) {
        return java.util.Arrays.stream(values).boxed().toList();
    }
}
