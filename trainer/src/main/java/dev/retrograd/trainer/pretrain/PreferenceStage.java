package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.GatherRows;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.clip.ClipVisionConfig;
import dev.retrograd.rewards.clip.ClipVisionEncoder;
import dev.retrograd.rewards.clip.UnitLength;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/// The preference score: the small CLIP, fitted further to prefer of each pair of pictures the better one for the caption; its text tower rests.
///
/// Loaded by {@link dev.retrograd.rewards.clip.HumanPreferenceScore}. Loss: −log of the softmax over the two scaled cosines. Half as many updates as the CLIP got, of half as many pairs, at a third of its rate.
/// Source: arXiv 2306.09341, eq. 1 and 2 (HPSv2), with a rule in place of people.
final class PreferenceStage implements Stage {
    private static final double GREATEST_LOG_SCALE = Math.log(100);
    private static final int SHOWN = 16;
    private static final int MEASURED_STEP = -1;
    private static final double SHARE_OF_RATE = 1.0 / 3;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final WorldTokenizer vocabulary = new WorldTokenizer(Caption.vocabulary());
    private final ClipTokenizer tokenizer;
    private final SeededWeights weights;
    private final Clip clip;

    private record Clip(ClipTextEncoder text, Linear textProjection, ClipVisionEncoder vision, Parameter logitScale) {

        static Clip of(WorldTokenizer vocabulary, Weights w) throws IOException {
            ClipTextEncoder text = new ClipTextEncoder(Configs.text(vocabulary), w.in("text_model"));
            return new Clip(text, Linear.load(w.in("text_projection"), text.config().width(), Configs.PROJECTION, false),
                    new ClipVisionEncoder(ClipVisionConfig.of(Configs.vision()), Configs.PROJECTION, w), w.get("logit_scale"));
        }
    }

    /// @param files where the small CLIP lies already
    PreferenceStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        tokenizer = ClipTokenizer.load(files.clip());
        weights = new SeededWeights(backend, recipe.seed());
        clip = Clip.of(vocabulary, weights);
        try (ModelFolder.Frozen<Clip> begun = ModelFolder.read(backend, files.clipWeights(), w -> Clip.of(vocabulary, w))) {
            begun.weights().parameters().forEach((name, p) -> backend.convert(p.value(), weights.parameters().get(name).value()));
        }
        weights.all().stream().filter(p -> p.name().startsWith("text_")).forEach(p -> p.trainable(false));
    }

    @Override public String name() {
        return "preference";
    }

    @Override public FitSettings settings() {
        FitSettings c = recipe.clip();
        return new FitSettings(Math.max(1, c.steps() / 2), Math.max(1, c.batch() / 2), c.rate() * SHARE_OF_RATE, c.warmup(), c.averaging());
    }

    @Override public List<Parameter> parameters() {
        return weights.all().stream().filter(Parameter::trainable).toList();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        Pairs pairs = Pairs.draw(recipe, step, settings().batch(), World.Part.TRAINING);
        Var scale = t.parameter(clip.logitScale()).apply(Unary.clamp(0, GREATEST_LOG_SCALE)).apply(Unary.EXP);
        Var loss = Terms.crossEntropy(cosines(t, pairs).times(scale), new int[pairs.captions().size()]);
        return new Fit.Loss(loss, new Fit.Part("scale", scale));
    }

    /// Cosine of each caption with the better picture and with the worse one, `[B,2]`.
    private Var cosines(Tape t, Pairs pairs) {
        int count = pairs.captions().size();
        int[][] ids = pairs.captions().stream().map(c -> tokenizer.tokenize(c).ids()).toArray(int[][]::new);
        Var texts = UnitLength.of(clip.textProjection().forward(clip.text().forward(t, ids).pooled()));
        int[] twice = IntStream.range(0, 2 * count).map(i -> i / 2).toArray();
        Var rows = texts.apply(new GatherRows(), t.constant(backend.ints("captions", Shape.of(2 * count), twice)));
        Var pixels = t.constant(backend.floats("images", Shape.of(2 * count, World.SIZE, World.SIZE, 3), Pictures.joined(pairs.inTurn())));
        Var images = UnitLength.of(clip.vision().forward(pixels).features());
        return images.times(rows).apply(new SumTo(Shape.of(2 * count, 1), 1)).reshape(count, 2);
    }

    /// Pairs of held-out combinations, better beside worse, and how often the score prefers the better one.
    @Override public String sample(Path file) throws IOException {
        Pairs pairs = Pairs.draw(recipe, MEASURED_STEP, recipe.measured(), World.Part.HELD_OUT);
        int shown = Math.min(SHOWN, pairs.captions().size());
        Pictures.writePairs(file, Pictures.joined(pairs.better().subList(0, shown)), Pictures.joined(pairs.worse().subList(0, shown)));
        try (Scope _ = backend.memory().open("preference sample"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            float[] cosines = t.unrecorded(() -> backend.toFloats(cosines(t, pairs).value()));
            return "ranked right: %.1f %% where the caption decides, %.1f %% where the rating does".formatted(
                    100 * right(pairs, true, cosines), 100 * right(pairs, false, cosines));
        }
    }

    /// Share of the pairs of a kind whose better picture has the greater cosine; NaN if there is none.
    private static double right(Pairs pairs, boolean match, float... cosines) {
        int[] kind = IntStream.range(0, pairs.captions().size()).filter(i -> pairs.matches().get(i) == match).toArray();
        return IntStream.of(kind).filter(i -> cosines[2 * i] > cosines[2 * i + 1]).count() / (double) kind.length;
    }

    @Override public void finish() throws IOException {
        vocabulary.write(files.preference());
        WeightFile.write(files.preference().resolve("model.safetensors"), backend, weights.all());
        Configs.write(files.preference().resolve("config.json"), Configs.clipJson(vocabulary));
        Configs.write(files.preference().resolve("preprocessor_config.json"), Configs.PREPROCESSOR);
    }

    @Override public void close() {
        weights.close();
    }
}
