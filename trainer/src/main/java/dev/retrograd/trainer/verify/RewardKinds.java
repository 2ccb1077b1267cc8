package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Resampling.Filter;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.rewards.clip.UnitLength;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.vae.Pixels;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Scores of images by CLIP models. The image is in [-1,1], clamped after mapping to [0,1].
final class RewardKinds {
    private static final String PIXEL_VALUES = CheckRun.ACTIVATION + "pixel_values";
    private static final Pattern DISTANCE = Pattern.compile("abs\\(score - ([0-9.]+)\\)");
    private static final String COMPLEMENT = "1 - score";

    private RewardKinds() {
    }

    /// `score` and `loss` of `image` by LAION's aesthetic predictor; of `act:pixel_values` the first image's red channel.
    static void aesthetic(CheckRun run) throws IOException {
        ModelConfig c = run.options();
        try (AestheticScore reward = AestheticScore.load(run.backend(), run.modelFolder(), resampling(c)); Tape tape = run.tape()) {
            Var image = run.leaf(tape, "image");
            Var score = reward.score(Pixels.of(image), List.of());
            run.result(PIXEL_VALUES).ifPresent(v -> run.put(PIXEL_VALUES, red(v)));
            finish(run, image, score, c.text("loss", "abs(score - 10)"), c.text("gradient_of", "sum(score)"));
        }
    }

    /// `score` and `loss` of `image` and `text_features` of `ids`, one row for each image and perhaps more, by an HPS model.
    static void hps(CheckRun run) throws IOException {
        ModelConfig c = run.options();
        try (HumanPreferenceScore reward = HumanPreferenceScore.load(run.backend(), run.modelFolder(), Optional.empty(), resampling(c)); Tape tape = run.tape()) {
            int[][] ids = run.ids("ids");
            Var text = UnitLength.of(reward.model().textFeatures(tape, ids));
            run.put("text_features", text.value());
            Var image = run.leaf(tape, "image");
            if (image.dim(0) > ids.length) {
                throw c.refuse("'ids' must have a row for each of " + image.dim(0) + " images, got " + ids.length);
            }
            Var own = tape.constant(text.value().leading(0, image.dim(0)));
            finish(run, image, reward.score(Pixels.of(image), own), c.text("loss", COMPLEMENT), c.text("gradient_of", "sum(" + COMPLEMENT + ")"));
        }
    }

    private static Resampling resampling(ModelConfig c) throws IOException {
        return new Resampling(Filter.BILINEAR, c.flag("antialias", false));
    }

    private static Values red(Values nchw) {
        int height = nchw.shape().dim(2);
        int width = nchw.shape().dim(3);
        return new Values(Shape.of(1, 1, height, width), Arrays.copyOf(nchw.numbers(), height * width));
    }

    private static void finish(CheckRun run, Var image, Var score, String loss, String gradientOf) throws IOException {
        run.put("score", score.value());
        run.put("loss", of(run, loss, score).value());
        boolean sum = gradientOf.startsWith("sum(") && gradientOf.endsWith(")");
        Var differentiated = of(run, sum ? gradientOf.substring(4, gradientOf.length() - 1) : gradientOf, score);
        float[] ones = new float[score.dim(0)];
        Arrays.fill(ones, 1);
        run.differentiate(differentiated, run.backend().floats("ones", score.shape(), ones), Map.of("image", image), Map.of());
    }

    /// A formula of the score.
    private static Var of(CheckRun run, String formula, Var score) throws IOException {
        Matcher distance = DISTANCE.matcher(formula);
        if (distance.matches()) {
            return score.affine(1, -Double.parseDouble(distance.group(1))).apply(Unary.ABS);
        }
        return switch (formula) {
            case "score" -> score;
            case COMPLEMENT -> score.affine(-1, 1);
            default -> throw run.options().refuse("a formula must be score, " + COMPLEMENT + " or abs(score - NUMBER), got '" + formula + "'");
        };
    }
}
