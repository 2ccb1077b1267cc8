package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Resampling.Filter;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.rewards.clip.UnitLength;
import dev.retrograd.rewards.owlvit.ConceptRemoval;
import dev.retrograd.rewards.owlvit.OwlVit;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.vae.Pixels;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Scores of images by CLIP models, and by OWL-ViT. The image is in [-1,1], clamped after mapping to [0,1].
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

    /// `logits`, `pred_boxes`, `text_embeds`, `image_embeds`, `class_embeds`, `max_confidence` and `loss` of `image` and the queries `input_ids` by an
    /// OWL-ViT; gradients are of the summed loss of the option `query`.
    static void owlvit(CheckRun run) throws IOException {
        ModelConfig c = run.options();
        int query = c.integer("query", 0);
        c.only("loss", "\"1 - max over patches of sigmoid(logits[query])\"");
        int[][] ids = run.ids("input_ids");
        requireWholeTexts(run, ids);
        try (OwlVit model = OwlVit.load(run.backend(), run.modelFolder())) {
            Tensor pixelValues;
            try (Tape tape = run.tape()) {
                Var image = run.leaf(tape, "image");
                Var taken = model.pixelValues(Pixels.of(image));
                pixelValues = taken.value();
                Var loss = detect(run, model, taken, ids, query);
                run.differentiate(loss, ones(run, loss), Map.of("image", image), Map.of());
            }
            if (run.wants(CheckRun.GRADIENT + "pixel_values")) {
                try (Tape tape = run.tape()) {
                    Var leaf = tape.input(pixelValues);
                    Var loss = detect(run, model, leaf, ids, query);
                    run.differentiate(loss, ones(run, loss), Map.of("pixel_values", leaf), Map.of());
                }
            }
        }
    }

    /// No token sees those after it, so padding counts only where the mask leaves out a token of the text.
    private static void requireWholeTexts(CheckRun run, int[][] ids) throws IOException {
        if (!run.has("attention_mask")) {
            return;
        }
        int[][] mask = run.ids("attention_mask");
        for (int q = 0; q < ids.length; q++) {
            int end = 0;
            for (int i = 0; i < ids[q].length; i++) {
                end = ids[q][i] > ids[q][end] ? i : end;
            }
            for (int i = 0; i <= end; i++) {
                if (mask[q][i] == 0) {
                    throw run.options().refuse("'attention_mask' must keep every token up to the end token, got 0 at row " + q + ", place " + i);
                }
            }
        }
    }

    private static Var detect(CheckRun run, OwlVit model, Var pixelValues, int[][] ids, int query) throws IOException {
        Var patches = model.patches(pixelValues);
        Var queries = model.queries(pixelValues.tape(), ids);
        Var logits = model.logits(patches, queries);
        int batch = patches.dim(0);
        int side = (int) Math.sqrt(patches.dim(1));
        float[] text = run.backend().toFloats(queries.value());
        float[] each = new float[batch * text.length];
        for (int b = 0; b < batch; b++) {
            System.arraycopy(text, 0, each, b * text.length, text.length);
        }
        run.put("text_embeds", Values.of(Shape.of(batch, ids.length, queries.dim(1)), each));
        run.put("image_embeds", Values.of(Shape.of(batch, side, side, patches.dim(2)), run.backend().toFloats(patches.value())));
        run.put("class_embeds", model.classEmbeds(patches).value());
        run.put("pred_boxes", model.boxes(patches).value());
        run.put("logits", logits.value());
        if (query < 0 || query >= ids.length) {
            throw run.options().refuse("'query' must be 0.." + (ids.length - 1) + ", got " + query);
        }
        Var confidences = logits.apply(new Slice(2, query, 1)).reshape(batch, logits.dim(1)).apply(Unary.SIGMOID);
        Var loss = ConceptRemoval.absence(confidences);
        run.put("loss", loss.value());
        run.put("max_confidence", loss.affine(-1, 1).value());
        return loss;
    }

    private static Tensor ones(CheckRun run, Var v) {
        float[] ones = new float[Math.toIntExact(v.value().elements())];
        Arrays.fill(ones, 1);
        return run.backend().floats("ones", v.shape(), ones);
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
        run.differentiate(differentiated, ones(run, score), Map.of("image", image), Map.of());
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
