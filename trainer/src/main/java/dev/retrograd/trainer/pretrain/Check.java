package dev.retrograd.trainer.pretrain;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/// Measures whether the finished model draws what captions say: how often the judge's answers about generated pictures are those of their
/// captions, against captions that belong to other pictures, for combinations that training showed and for held-out ones.
final class Check {
    private static final int MOST_AT_ONCE = 64;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;

    Check(Backend backend, Recipe recipe, ModelFolder files) {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
    }

    /// Accuracies of one set of pictures.
    ///
    /// @param own against their own captions
    /// @param shuffled against the captions of others
    /// @param object shape and colour of the object that the caption names first, both right
    /// @param shuffledObject the same against the captions of others
    record Result(Map<Judge.Question, Double> own, Map<Judge.Question, Double> shuffled, double object, double shuffledObject) {
    }

    /// Generates, judges, and writes `report.json` and two grids.
    void run(Consumer<String> lines) throws IOException {
        ObjectNode report = new ObjectMapper().createObjectNode();
        report.put("seed", recipe.seed());
        report.put("pictures", recipe.measured());
        report.put("steps", Generation.STEPS);
        report.put("guidance", Generation.GUIDANCE);
        try (StableDiffusion model = StableDiffusion.load(backend, files.model()); ModelFolder.Frozen<Judge> judge = ModelFolder.read(backend, files.judgeWeights(), Judge::new)) {
            Generation generation = new Generation(backend, texts -> model.encodeText(model.tokenize(texts)), model.unet(), model.vaeDecoder(), model.schedule());
            for (World.Part part : World.Part.values()) {
                String name = Caption.word(part);
                Result drawn = measure(part, judge.model(), (examples, random) -> generation.draw(captions(examples), random), name);
                write(report.putObject(name), drawn);
                print(lines, name, drawn);
                Result real = measure(part, judge.model(), (examples, _) -> examples.images(backend), name + "-real");
                write(report.putObject(name + "_real_pictures"), real);
                print(lines, name + ", real pictures", real);
            }
        }
        Configs.write(files.root().resolve("report.json"), report.toPrettyString() + "\n");
    }

    @FunctionalInterface private interface Source {
        Tensor images(Examples examples, RandomStream random);
    }

    private static List<String> captions(Examples examples) {
        return examples.scenes().stream().map(Scene::caption).toList();
    }

    private Result measure(World.Part part, Judge judge, Source source, String name) throws IOException {
        Map<Judge.Question, int[]> answers = new EnumMap<>(Judge.Question.class);
        List<Scene> scenes = new ArrayList<>();
        for (int i = 0; scenes.size() < recipe.measured(); i++) {
            int key = part.ordinal() * recipe.measured() + i;
            Examples examples = Examples.draw(recipe, StageKey.CHECK, key, Math.min(MOST_AT_ONCE, recipe.measured() - scenes.size()), part);
            scenes.addAll(examples.scenes());
            try (Scope _ = backend.memory().open("check")) {
                Tensor images = source.images(examples, recipe.noise(StageKey.CHECK, key));
                if (i == 0) {
                    Pictures.write(files.root().resolve("samples/check-" + name + ".png"), backend.toFloats(images));
                    Configs.write(files.root().resolve("samples/check-" + name + ".txt"), String.join("\n", captions(examples)) + "\n");
                }
                Verdicts.of(backend, judge, images).answers().forEach((q, a) -> answers.merge(q, a, Check::joined));
            }
        }
        Verdicts verdicts = new Verdicts(answers);
        List<Scene> others = new ArrayList<>(scenes);
        Collections.rotate(others, 1);
        Map<Judge.Question, Double> own = new EnumMap<>(Judge.Question.class);
        Map<Judge.Question, Double> shuffled = new EnumMap<>(Judge.Question.class);
        for (Judge.Question q : Judge.Question.values()) {
            own.put(q, verdicts.accuracy(q, scenes));
            shuffled.put(q, verdicts.accuracy(q, others));
        }
        return new Result(own, shuffled, verdicts.accuracyOfFirst(scenes), verdicts.accuracyOfFirst(others));
    }

    private static int[] joined(int[] a, int[] b) {
        int[] all = java.util.Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }

    private static void write(ObjectNode node, Result r) {
        node.put("figure_and_paint", r.object);
        node.put("figure_and_paint_shuffled", r.shuffledObject);
        r.own.forEach((q, a) -> node.put(Caption.word(q), a));
        r.shuffled.forEach((q, a) -> node.put(Caption.word(q) + "_shuffled", a));
    }

    private static void print(Consumer<String> lines, String name, Result r) {
        lines.accept(String.format(Locale.ROOT, "check %s: shape and colour %.1f %% (shuffled captions %.1f %%)", name, 100 * r.object, 100 * r.shuffledObject));
        r.own.forEach((q, a) -> lines.accept(String.format(Locale.ROOT, "  %-16s %5.1f %%  shuffled %5.1f %%", Caption.word(q), 100 * a, 100 * r.shuffled.get(q))));
    }
}
