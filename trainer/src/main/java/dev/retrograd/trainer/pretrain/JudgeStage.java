package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The judge, fitted to the scenes of pictures with some noise on them, held-out combinations included: it must know what it is to recognise.
final class JudgeStage implements Stage {
    private static final int MEASURED = 256;
    private static final int SHOWN = 32;
    private static final float MOST_NOISE = 0.15f;
    private static final int HELD_OUT_EVERY = 8;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final SeededWeights weights;
    private final Judge judge;

    JudgeStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        weights = new SeededWeights(backend, recipe.seed() + StageKey.JUDGE.ordinal());
        judge = new Judge(weights);
    }

    @Override public String name() {
        return "judge";
    }

    @Override public FitSettings settings() {
        return recipe.judge();
    }

    @Override public List<Parameter> parameters() {
        return weights.all();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        World.Part part = step % HELD_OUT_EVERY == 0 ? World.Part.HELD_OUT : World.Part.TRAINING;
        Examples examples = Examples.draw(recipe, StageKey.JUDGE, step, recipe.judge().batch(), part);
        noise(examples, recipe.noise(StageKey.JUDGE, step));
        Map<Judge.Question, Var> losses = Answers.losses(judge.forward(t.constant(examples.images(backend))), examples.scenes());
        Var total = losses.values().stream().reduce(Var::plus).orElseThrow();
        return new Fit.Loss(total, new Fit.Part("figure", losses.get(Judge.Question.FIGURE)), new Fit.Part("paint", losses.get(Judge.Question.PAINT)));
    }

    /// So that it does not depend on how exact a picture is: what it will see comes from a decoder.
    private static void noise(Examples examples, RandomStream random) {
        for (float[] picture : examples.pictures()) {
            float deviation = MOST_NOISE * random.nextFloat();
            float[] noise = random.randn(picture.length);
            for (int i = 0; i < picture.length; i++) {
                picture[i] += deviation * noise[i];
            }
        }
    }

    @Override public String sample(Path file) throws IOException {
        Examples examples = Examples.draw(recipe, StageKey.SAMPLES, 0, MEASURED);
        Pictures.write(file, Pictures.joined(examples.pictures().subList(0, SHOWN)));
        try (Scope _ = backend.memory().open("judge sample")) {
            Verdicts verdicts = Verdicts.of(backend, judge, examples.images(backend));
            List<String> said = new ArrayList<>();
            for (Judge.Question q : Judge.Question.values()) {
                said.add("%s %.0f %%".formatted(Caption.word(q), 100 * verdicts.accuracy(q, examples.scenes())));
            }
            return "right: " + String.join(", ", said);
        }
    }

    @Override public void finish() throws IOException {
        WeightFile.write(files.judgeWeights(), backend, weights.all());
    }

    @Override public void close() {
        weights.close();
    }
}
