package dev.retrograd.trainer.pretrain;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.clip.ClipModel;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.function.Consumer;

/// Measures whether the finished model draws what captions say: how often the judge's answers about generated pictures are those of their
/// captions, and how often the small CLIP prefers their captions to those that differ in a word; against captions that belong to other pictures, for
/// combinations that training showed and for held-out ones. The same of painted pictures says what the two could find at best, and how they come back from
/// their latents what the VAE loses.
final class Check {
    private static final int MOST_AT_ONCE = 64;
    /// Shape and colour of an object, both right.
    private static final String OBJECT = "figure_and_paint";

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;

    Check(Backend backend, Recipe recipe, ModelFolder files) {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
    }

    /// Accuracies of one set of pictures, by what is asked; those of `shuffled` are against the captions of other pictures.
    record Result(SequencedMap<String, Double> judge, SequencedMap<String, Double> shuffled, SequencedMap<String, Double> clip, SequencedMap<String, Double> clipShuffled) {
    }

    /// Generates, judges, and writes `report.json` and two grids.
    void run(Consumer<String> lines) throws IOException {
        ObjectNode report = new ObjectMapper().createObjectNode();
        report.put("seed", recipe.seed());
        report.put("pictures", recipe.measured());
        report.put("steps", Generation.STEPS);
        report.put("guidance", Generation.GUIDANCE);
        try (StableDiffusion model = StableDiffusion.load(backend, files.model()); ModelFolder.Frozen<Judge> judge = ModelFolder.read(backend, files.judgeWeights(), Judge::new);
                ClipModel clip = ClipModel.load(backend, files.clip()); ModelFolder.Frozen<VaeEncoder> encoder = encoder()) {
            Generation generation = new Generation(backend, texts -> model.encodeText(model.tokenize(texts)), model.unet(), model.vaeDecoder(), model.schedule());
            for (World.Part part : World.Part.values()) {
                String name = Caption.word(part);
                Result drawn = measure(part, judge.model(), clip, (examples, random) -> generation.draw(captions(examples), random), name);
                write(report.putObject(name), drawn);
                print(lines, name, drawn);
                Result real = measure(part, judge.model(), clip, (examples, _) -> examples.images(backend), name + "-real");
                write(report.putObject(name + "_real_pictures"), real);
                print(lines, name + ", real pictures", real);
                double psnr = reconstruction(encoder.model(), model.vaeDecoder(), part);
                report.put(name + "_reconstruction_psnr", psnr);
                lines.accept("check %s, real pictures through the VAE: psnr %.1f dB".formatted(name, psnr));
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

    private Result measure(World.Part part, Judge judge, ClipModel clip, Source source, String name) throws IOException {
        Map<Judge.Question, int[]> answers = new EnumMap<>(Judge.Question.class);
        ClipVerdicts.Tally clipOwn = ClipVerdicts.Tally.empty();
        ClipVerdicts.Tally clipOthers = ClipVerdicts.Tally.empty();
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
                ClipVerdicts.count(clipOwn, clip, images, examples.scenes());
                ClipVerdicts.count(clipOthers, clip, images, others(examples.scenes()));
            }
        }
        Verdicts verdicts = new Verdicts(answers);
        return new Result(accuracies(verdicts, scenes), accuracies(verdicts, others(scenes)), accuracies(clipOwn), accuracies(clipOthers));
    }

    private ModelFolder.Frozen<VaeEncoder> encoder() throws IOException {
        VaeConfig config = VaeConfig.of(ModelConfig.read(files.model().resolve("vae/config.json")));
        return ModelFolder.read(backend, files.vaeWeights(), w -> new VaeEncoder(config, w));
    }

    /// How near painted pictures come back from the means of their latents: the ratio of the greatest difference of two pixels, 2, to the mean one, in dB.
    private double reconstruction(VaeEncoder encoder, VaeDecoder decoder, World.Part part) {
        double squares = 0;
        int count = 0;
        for (int i = 0; count < recipe.measured(); i++) {
            Examples examples = Examples.draw(recipe, StageKey.CHECK, part.ordinal() * recipe.measured() + i, Math.min(MOST_AT_ONCE, recipe.measured() - count), part);
            int pictures = examples.scenes().size();
            try (Scope _ = backend.memory().open("reconstruction"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
                Var image = t.constant(examples.images(backend));
                Var back = t.unrecorded(() -> decoder.forward(encoder.mean(encoder.forward(image))));
                squares += pictures * (double) backend.toFloats(Terms.l2(back, image).value())[0];
            }
            count += pictures;
        }
        return 10 * Math.log10(4 * count / squares);
    }

    private static List<Scene> others(List<Scene> scenes) {
        List<Scene> others = new ArrayList<>(scenes);
        Collections.rotate(others, 1);
        return others;
    }

    private static SequencedMap<String, Double> accuracies(Verdicts verdicts, List<Scene> scenes) {
        SequencedMap<String, Double> all = new LinkedHashMap<>();
        all.put(OBJECT, verdicts.accuracyOfFirst(scenes));
        all.put("second_" + OBJECT, verdicts.accuracyOfSecond(scenes));
        for (Judge.Question q : Judge.Question.values()) {
            all.put(Caption.word(q), verdicts.accuracy(q, scenes));
        }
        return all;
    }

    private static SequencedMap<String, Double> accuracies(ClipVerdicts.Tally tally) {
        SequencedMap<String, Double> all = new LinkedHashMap<>();
        for (ClipVerdicts.Word word : ClipVerdicts.Word.values()) {
            all.put(Caption.word(word), tally.accuracy(word));
        }
        return all;
    }

    private static int[] joined(int[] a, int[] b) {
        int[] all = java.util.Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }

    private static void write(ObjectNode node, Result r) {
        write(node.putObject("judge"), r.judge);
        write(node.putObject("judge_shuffled"), r.shuffled);
        write(node.putObject("clip"), r.clip);
        write(node.putObject("clip_shuffled"), r.clipShuffled);
    }

    /// What no scene was asked for is left out: NaN is no JSON.
    private static void write(ObjectNode node, SequencedMap<String, Double> accuracies) {
        accuracies.forEach((name, a) -> {
            if (!Double.isNaN(a)) {
                node.put(name, a);
            }
        });
    }

    private static void print(Consumer<String> lines, String name, Result r) {
        lines.accept("check " + name + ": right by judge | of shuffled captions | by CLIP | of shuffled captions");
        SequencedSet<String> asked = new LinkedHashSet<>(r.judge.sequencedKeySet());
        asked.addAll(r.clip.sequencedKeySet());
        asked.forEach(q -> lines.accept(("  %-24s" + "%s".repeat(4)).formatted(q, percent(r.judge, q), percent(r.shuffled, q), percent(r.clip, q), percent(r.clipShuffled, q))));
    }

    private static String percent(SequencedMap<String, Double> accuracies, String q) {
        double a = accuracies.getOrDefault(q, Double.NaN);
        return Double.isNaN(a) ? "        -" : String.format(Locale.ROOT, "  %5.1f %%", 100 * a);
    }
}
