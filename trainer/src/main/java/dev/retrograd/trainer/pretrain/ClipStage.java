package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.op.MatMul;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.clip.ClipVisionConfig;
import dev.retrograd.rewards.clip.ClipVisionEncoder;
import dev.retrograd.rewards.clip.UnitLength;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// The small CLIP, fitted contrastively: among the pictures of a batch, each caption is to be nearest to its own, and the other way round. Its text
/// tower, frozen from then on, is the model's text encoder. Source: arXiv 2103.00020, figure 3.
///
/// The comparison alone is content with colours and backgrounds for long; so the features of both towers must also answer the questions about the
/// scene, through the same linear heads, which are thrown away in the end.
final class ClipStage implements Stage {
    /// The logit scale is kept at 100 or less, as upstream.
    private static final double GREATEST_LOG_SCALE = Math.log(100);
    /// What an answer counts beside the comparison.
    private static final double ANSWERS = 0.2;
    private static final int MEASURED = 128;
    private static final int SHOWN = 16;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final WorldTokenizer vocabulary = new WorldTokenizer(Caption.vocabulary());
    private final ClipTokenizer tokenizer;
    private final SeededWeights weights;
    private final ClipTextEncoder text;
    private final Linear textProjection;
    private final ClipVisionEncoder vision;
    private final Parameter logitScale;
    private final SeededWeights auxiliary;
    private final Answers answers;

    /// @param files where the tokenizer is written at once, the models by {@link #finish}
    ClipStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        vocabulary.write(files.model().resolve("tokenizer"));
        vocabulary.write(files.clip());
        tokenizer = ClipTokenizer.load(files.clip());
        weights = new SeededWeights(backend, recipe.seed() + StageKey.CLIP.ordinal());
        text = new ClipTextEncoder(Configs.text(vocabulary), weights.in("text_model"));
        textProjection = Linear.load(weights.in("text_projection"), text.config().width(), Configs.PROJECTION, false);
        vision = new ClipVisionEncoder(ClipVisionConfig.of(Configs.vision()), Configs.PROJECTION, weights);
        logitScale = weights.get("logit_scale");
        auxiliary = new SeededWeights(backend, recipe.seed());
        answers = new Answers(auxiliary.in("answers"), Configs.PROJECTION);
    }

    @Override public String name() {
        return "clip";
    }

    @Override public FitSettings settings() {
        return recipe.clip();
    }

    @Override public List<Parameter> parameters() {
        return Stream.concat(weights.all().stream(), auxiliary.all().stream()).toList();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        Examples examples = Families.draw(recipe, StageKey.CLIP, step, recipe.clip().batch());
        Var imageFeatures = imageFeatures(t, examples);
        Var textFeatures = textFeatures(t, examples);
        Var images = UnitLength.of(imageFeatures);
        Var texts = UnitLength.of(textFeatures);
        Var scale = t.parameter(logitScale).apply(Unary.clamp(0, GREATEST_LOG_SCALE)).apply(Unary.EXP);
        int[] own = IntStream.range(0, examples.scenes().size()).toArray();
        Var byImage = Terms.crossEntropy(images.apply(new MatMul(false, true), texts).times(scale), own);
        Var byText = Terms.crossEntropy(texts.apply(new MatMul(false, true), images).times(scale), own);
        Var contrast = byImage.plus(byText).affine(0.5, 0);
        Map<Judge.Question, Var> ofImages = Answers.losses(answers.of(imageFeatures), examples.scenes());
        Map<Judge.Question, Var> ofTexts = Answers.losses(answers.of(textFeatures), examples.scenes());
        Var wrong = Stream.concat(ofImages.values().stream(), ofTexts.values().stream()).reduce(Var::plus).orElseThrow();
        return new Fit.Loss(contrast.plus(wrong.affine(ANSWERS, 0)), new Fit.Part("contrast", contrast), new Fit.Part("scale", scale),
                new Fit.Part("figure", ofImages.get(Judge.Question.FIGURE)), new Fit.Part("place", ofImages.get(Judge.Question.PLACE)),
                new Fit.Part("figure said", ofTexts.get(Judge.Question.FIGURE)), new Fit.Part("place said", ofTexts.get(Judge.Question.PLACE)));
    }

    private Var imageFeatures(Tape t, Examples examples) {
        return vision.forward(t.constant(examples.images(backend))).features();
    }

    private Var textFeatures(Tape t, Examples examples) {
        int[][] ids = examples.captions().stream().map(c -> tokenizer.tokenize(c).ids()).toArray(int[][]::new);
        return textProjection.forward(text.forward(t, ids).pooled());
    }

    /// Pictures beside those that their captions find among 128, and how often that is the same one.
    @Override public String sample(java.nio.file.Path file) throws IOException {
        Examples examples = Examples.draw(recipe, StageKey.SAMPLES, 0, MEASURED);
        try (Scope _ = backend.memory().open("clip sample"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Var cosines = t.unrecorded(() -> UnitLength.of(textFeatures(t, examples)).apply(new MatMul(false, true), UnitLength.of(imageFeatures(t, examples))));
            int[] found = Argmax.rows(backend.toFloats(cosines.value()), MEASURED);
            Pictures.writePairs(file, Pictures.joined(examples.pictures().subList(0, SHOWN)),
                    Pictures.joined(IntStream.range(0, SHOWN).mapToObj(i -> examples.pictures().get(found[i])).toList()));
            long right = IntStream.range(0, MEASURED).filter(i -> found[i] == i).count();
            return "captions that find their picture among %d: %.1f %%".formatted(MEASURED, 100.0 * right / MEASURED);
        }
    }

    @Override public void finish() throws IOException {
        List<Parameter> ofText = weights.all().stream().filter(p -> p.name().startsWith("text_model.")).toList();
        WeightFile.write(files.textWeights(), backend, ofText);
        Configs.write(files.model().resolve("text_encoder/config.json"), Configs.textJson(vocabulary));
        Configs.write(files.model().resolve("model_index.json"), Configs.MODEL_INDEX);
        Configs.write(files.model().resolve("scheduler/scheduler_config.json"), Configs.SCHEDULER);
        WeightFile.write(files.clipWeights(), backend, weights.all());
        Configs.write(files.clip().resolve("config.json"), Configs.clipJson(vocabulary));
        Configs.write(files.clip().resolve("preprocessor_config.json"), Configs.PREPROCESSOR);
    }

    @Override public void close() {
        weights.close();
        auxiliary.close();
    }
}
