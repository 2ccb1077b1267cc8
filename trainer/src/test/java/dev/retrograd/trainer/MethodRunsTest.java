package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.BlackBoxReward;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.Scoring;
import dev.retrograd.trainer.method.AlignPropSettings;
import dev.retrograd.trainer.method.DdpoSettings;
import dev.retrograd.trainer.method.DrTuneSettings;
import dev.retrograd.trainer.method.DraftLvSettings;
import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.trainer.method.ReflSettings;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.trainer.method.RwrSettings;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every method in the training loop: it raises its reward, and an interrupted run ends in the bytes of a whole one.
class MethodRunsTest {
    @TempDir
    private Path folder;

    /// Mean brightness, with a gradient everywhere.
    private static final class Brightness implements DifferentiableReward {
        @Override public String name() {
            return "brightness";
        }

        @Override public Var score(Var pixels, List<String> prompts) {
            int batch = pixels.dim(0);
            return pixels.apply(SumTo.mean(pixels.shape(), Shape.of(batch, 1, 1, 1))).reshape(batch);
        }
    }

    /// The same without.
    private static final class MeasuredBrightness implements BlackBoxReward {
        @Override public String name() {
            return "measured-brightness";
        }

        @Override public float[] score(PixelBatch images, List<String> prompts) {
            float[] scores = new float[images.batch()];
            int each = images.pixels().length / scores.length;
            for (int i = 0; i < images.pixels().length; i++) {
                scores[i / each] += images.pixels()[i] / each;
            }
            return scores;
        }
    }

    private record Case(MethodSettings method, double eta, double rate, int updates, int batch) {
        Reward reward() {
            return method.needsGradient() ? new Brightness() : new MeasuredBrightness();
        }

        @Override public String toString() {
            return method.id();
        }
    }

    static Stream<Case> cases() {
        return Stream.of(
                new Case(AlignPropSettings.alignprop(new Truncation.Bernoulli()), 0, 3e-3, 6, 4),
                new Case(AlignPropSettings.draft(1), 0, 3e-3, 6, 4),
                new Case(new DraftLvSettings(2), 0, 3e-3, 6, 4),
                new Case(new DrTuneSettings(2), 0, 3e-3, 6, 4),
                new Case(new ReflSettings(2, 1e-3), 1, 3e-3, 6, 4),
                new Case(new DdpoSettings(0.9, 5, 32, 16, 1, 2, 1), 1, 3e-3, 16, 16),
                new Case(new RwrSettings(16, 3, 50), 1, 1e-3, 18, 8));
    }

    private static final class Heard implements TrainListener {
        private final List<String> lines = new ArrayList<>();
        private final List<Metrics> metrics = new ArrayList<>();

        @Override public void began(String what, long total) {
        }

        @Override public void progressed(long done) {
        }

        @Override public void updated(Metrics m, int updates) {
            metrics.add(m);
        }

        @Override public void said(String line) {
            lines.add(line);
        }
    }

    private static Heard train(Path at, Case c, Optional<Path> resume, BooleanSupplier stop, TrainLoop.Ending expected) throws IOException {
        OptimizerSettings optimizer = new OptimizerSettings(new LearningRateSchedule.Constant(c.rate, 0), AdamW.Hyperparameters.DEFAULT, new GradientClip(1), OptionalDouble.empty(), 0);
        TrainConfig config = new TrainConfig(new SamplerSettings(3, 1, c.eta, 64, 64, ""), c.method, new RewardLoss.Maximise(), new LoraConfig(2, 2, LoraConfig.ATTENTION), optimizer, c.updates, c.batch, 4, 7, 1, 0,
                0, 4, LoraFile.Naming.PEFT, Regularisers.NONE);
        Heard heard = new Heard();
        try (CpuBackend backend = new CpuBackend(); StableDiffusion model = StableDiffusion.load(backend, Golden.path("ci-sd/model"))) {
            TrainLoop.Task task = new TrainLoop.Task(model, c.reward(), new PromptSource("two", List.of("cat", "dog")), List.of(), Optional.empty(), Tracked.nothing(new Scoring(backend, 1)));
            try (RunDirectory run = RunDirectory.open(at); TrainLoop loop = new TrainLoop(task, config, run, heard, stop)) {
                if (resume.isPresent()) {
                    loop.resume(resume.get());
                }
                assertEquals(expected, loop.run());
            }
        }
        return heard;
    }

    private static byte[] lora(Path run) throws IOException {
        return Files.readAllBytes(run.resolve("lora").resolve(LoraFile.NAME));
    }

    /// Weighted regression on samples of this model, which was never trained, teaches it to denoise first of all: its loss falls.
    private static void assertRises(Case c, Heard heard) {
        if (c.method instanceof RwrSettings) {
            int round = c.updates / 3;
            double first = heard.metrics.subList(0, round).stream().mapToDouble(Metrics::loss).average().orElseThrow();
            double last = heard.metrics.subList(c.updates - round, c.updates).stream().mapToDouble(Metrics::loss).average().orElseThrow();
            assertTrue(last < first, "mean loss of the first round " + first + ", of the last " + last);
            return;
        }
        double[] change = Pattern.compile("\\d\\.\\d+").matcher(heard.lines.getLast()).results().mapToDouble(r -> Double.parseDouble(r.group())).toArray();
        assertTrue(change[1] > change[0], heard.lines.getLast());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rewardRisesAndAResumedRunEndsInTheSameBytes(Case c) throws IOException {
        Path whole = folder.resolve("whole");
        Heard heard = train(whole, c, Optional.empty(), () -> false, TrainLoop.Ending.DONE);
        assertRises(c, heard);
        Path cut = folder.resolve("cut");
        Path half = cut.resolve("checkpoints/" + RunDirectory.updateName(c.updates / 2 - 1));
        train(cut, c, Optional.empty(), () -> Files.exists(half), TrainLoop.Ending.STOPPED);
        train(cut, c, Optional.of(RunDirectory.checkpointsOf(cut).getLast()), () -> false, TrainLoop.Ending.DONE);
        assertArrayEquals(lora(whole), lora(cut));
        assertEquals(c.updates, Files.readAllLines(cut.resolve("metrics.jsonl")).size());
    }
}
