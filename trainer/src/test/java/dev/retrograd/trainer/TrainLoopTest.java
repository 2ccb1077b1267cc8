package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.Scoring;
import dev.retrograd.trainer.method.AlignPropSettings;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.trainer.prompts.BuiltInPrompts;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainLoopTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final BooleanSupplier NEVER = () -> false;

    @TempDir
    private Path folder;

    private CpuBackend backend;
    private StableDiffusion model;

    /// Mean brightness: the simplest reward with a gradient everywhere.
    private static final class Brightness implements DifferentiableReward {
        @Override public String name() {
            return "brightness";
        }

        @Override public Var score(Var pixels, List<String> prompts) {
            int batch = pixels.dim(0);
            return pixels.apply(SumTo.mean(pixels.shape(), Shape.of(batch, 1, 1, 1))).reshape(batch);
        }
    }

    /// Brightness that is not a number in some updates.
    private static final class Fragile implements DifferentiableReward {
        private final Set<Integer> broken;
        private int done;

        Fragile(Integer... broken) {
            this.broken = Set.of(broken);
        }

        @Override public String name() {
            return "fragile";
        }

        @Override public Var score(Var pixels, List<String> prompts) {
            Var score = new Brightness().score(pixels, prompts);
            boolean breaks = pixels.requiresGrad() && broken.contains(done + 1);
            return score.affine(breaks ? Double.NaN : 1, 0);
        }
    }

    private static final class Silent implements TrainListener {
        private final List<Metrics> metrics = new ArrayList<>();
        private final List<String> lines = new ArrayList<>();
        private Consumer<Metrics> then = _ -> { };

        @Override public void began(String what, long total) {
        }

        @Override public void progressed(long done) {
        }

        @Override public void updated(Metrics m, int updates) {
            metrics.add(m);
            then.accept(m);
        }

        @Override public void said(String line) {
            lines.add(line);
        }
    }

    @BeforeEach void open() throws IOException {
        backend = new CpuBackend();
        model = StableDiffusion.load(backend, Golden.path("ci-sd/model"));
    }

    @AfterEach void closeAndCount() {
        model.close();
        assertEquals(0, backend.memory().liveBytes(), "bytes live after closing everything");
        backend.close();
    }

    private static TrainConfig config(int updates, int microBatch, OptionalDouble ema) {
        OptimizerSettings optimizer = new OptimizerSettings(new LearningRateSchedule.Constant(3e-3, 0), AdamW.Hyperparameters.DEFAULT, new GradientClip(1), ema, 0);
        return new TrainConfig(new SamplerSettings(3, 5, 0, 64, 64, ""), AlignPropSettings.alignprop(new Truncation.UniformOverAll()), new RewardLoss.Maximise(), new LoraConfig(2, 2, LoraConfig.ATTENTION),
                optimizer, updates, 4, microBatch, 7, 1, 0, 2, 4, LoraFile.Naming.PEFT, Regularisers.NONE);
    }

    private Silent train(Path at, TrainConfig config, Optional<Path> resume, BooleanSupplier stop, TrainLoop.Ending expected) throws IOException {
        Silent listener = new Silent();
        try (RunDirectory run = RunDirectory.open(at);
                TrainLoop loop = new TrainLoop(new TrainLoop.Task(model, new Brightness(), PromptSource.of(BuiltInPrompts.ANIMALS), List.of("hippopotamus"), Optional.empty(), Tracked.nothing(new Scoring(backend, 1))),
                        config, run, listener, stop)) {
            if (resume.isPresent()) {
                loop.resume(resume.get());
            }
            assertEquals(expected, loop.run());
        }
        return listener;
    }

    private TrainConfig forgiving(int updates, int maxSkipped) {
        TrainConfig c = config(updates, 4, OptionalDouble.of(0.5));
        OptimizerSettings o = c.optimizer();
        return new TrainConfig(c.sampler(), AlignPropSettings.alignprop(new Truncation.Full()), c.loss(), c.lora(), new OptimizerSettings(o.schedule(), o.adamw(), o.clip(), o.emaDecay(), maxSkipped),
                updates, 4, 4, c.seed(), 1, 0, 0, c.sampleImages(), c.naming(), c.regularisers());
    }

    private TrainLoop fragile(RunDirectory run, Silent listener, TrainConfig config, Integer... broken) {
        Fragile reward = new Fragile(broken);
        listener.then = m -> reward.done = m.update();
        return new TrainLoop(new TrainLoop.Task(model, reward, PromptSource.of(BuiltInPrompts.ANIMALS), List.of(), Optional.empty(), Tracked.nothing(new Scoring(backend, 1))),
                config, run, listener, NEVER);
    }

    @Test void anUpdateThatIsNotFiniteIsSkippedAndCounted() throws IOException {
        Silent heard = new Silent();
        try (RunDirectory run = RunDirectory.open(folder); TrainLoop loop = fragile(run, heard, forgiving(3, 1), 2)) {
            assertEquals(TrainLoop.Ending.DONE, loop.run());
        }
        assertEquals(List.of(false, true, false), heard.metrics.stream().map(Metrics::skipped).toList());
        assertTrue(heard.lines.getFirst().startsWith("update 2: loss and gradient must be finite, got others in "), heard.lines.getFirst());
        assertTrue(heard.lines.getFirst().endsWith("; skipped, 1 in a row"), heard.lines.getFirst());
        byte[] before = Files.readAllBytes(folder.resolve("checkpoints/update-000001/" + LoraFile.NAME));
        assertArrayEquals(before, Files.readAllBytes(folder.resolve("checkpoints/update-000002/" + LoraFile.NAME)), "the weights stay as they were");
        List<String> lines = Files.readAllLines(folder.resolve("metrics.jsonl"));
        assertTrue(JSON.readTree(lines.get(1)).get("skipped").asBoolean());
        assertFalse(JSON.readTree(lines.get(0)).has("skipped"));
    }

    @Test void tooManyInARowEndTheRunAndLeaveTheStateBehind() throws IOException {
        Silent heard = new Silent();
        try (RunDirectory run = RunDirectory.open(folder); TrainLoop loop = fragile(run, heard, forgiving(5, 1), 2, 3)) {
            String message = assertThrows(IllegalStateException.class, loop::run).getMessage();
            assertTrue(message.startsWith("update 3: loss and gradient must be finite"), message);
        }
        Path failed = folder.resolve("failed/update-000002");
        assertTrue(Files.exists(failed.resolve("state.safetensors")));
        assertEquals("loss", Files.readAllLines(failed.resolve("not-finite.txt")).getFirst());
        assertTrue(Files.exists(folder.resolve("checkpoints/update-000002/state.safetensors")), "checkpoints stay");
    }

    private static byte[] lora(Path run) throws IOException {
        return Files.readAllBytes(run.resolve("lora").resolve(LoraFile.NAME));
    }

    @Test void rewardRisesAndTheFolderHoldsWhatItPromises() throws IOException {
        Silent heard = train(folder, config(6, 4, OptionalDouble.empty()), Optional.empty(), NEVER, TrainLoop.Ending.DONE);
        double first = heard.metrics.subList(0, 2).stream().mapToDouble(Metrics::rewardMean).average().orElseThrow();
        double last = heard.metrics.subList(4, 6).stream().mapToDouble(Metrics::rewardMean).average().orElseThrow();
        assertTrue(last > first, "mean reward of the last two updates must exceed that of the first two, got " + last + " and " + first);
        List<String> lines = Files.readAllLines(folder.resolve("metrics.jsonl"));
        assertEquals(6, lines.size());
        JsonNode line = JSON.readTree(lines.get(5));
        assertEquals(6, line.get("update").asInt());
        for (String key : List.of("k", "loss", "reward_mean", "reward_std", "grad_norm", "learning_rate", "seconds", "peak_bytes")) {
            assertTrue(line.get(key).isNumber(), key);
        }
        List<Integer> evaluated = new ArrayList<>();
        for (String evaluation : Files.readAllLines(folder.resolve("evaluations.jsonl"))) {
            assertTrue(Double.isFinite(JSON.readTree(evaluation).get("reward_mean").asDouble()), evaluation);
            evaluated.add(JSON.readTree(evaluation).get("update").asInt());
        }
        assertEquals(List.of(0, 2, 4, 6), evaluated.stream().distinct().toList());
        for (String file : List.of("reward.svg", "samples/update-000000.png", "samples/update-000002.png", "samples/update-000004.png", "samples/update-000006.png", "samples/before-after.png",
                "checkpoints/update-000006/state.safetensors", "checkpoints/update-000006/" + LoraFile.NAME)) {
            assertTrue(Files.size(folder.resolve(file)) > 0, file);
        }
        assertEquals(80, LoraFile.read(folder.resolve("lora"), OptionalDouble.empty()).size());
    }

    @Test void resumedRunEndsInTheSameBytes() throws IOException {
        OptionalDouble ema = OptionalDouble.of(0.9);
        Path whole = folder.resolve("whole");
        train(whole, config(4, 2, ema), Optional.empty(), NEVER, TrainLoop.Ending.DONE);
        Path cut = folder.resolve("cut");
        train(cut, config(4, 2, ema), Optional.empty(), () -> Files.exists(cut.resolve("checkpoints/update-000002")), TrainLoop.Ending.STOPPED);
        assertFalse(Files.exists(cut.resolve("lora").resolve(LoraFile.NAME)));
        List<Path> checkpoints = RunDirectory.checkpointsOf(cut);
        train(cut, config(4, 2, ema), Optional.of(checkpoints.getLast()), NEVER, TrainLoop.Ending.DONE);
        assertArrayEquals(lora(whole), lora(cut));
        assertArrayEquals(Files.readAllBytes(whole.resolve("samples/before-after.png")), Files.readAllBytes(cut.resolve("samples/before-after.png")));
        assertEquals(4, Files.readAllLines(cut.resolve("metrics.jsonl")).size());
        assertArrayEquals(Files.readAllBytes(whole.resolve("samples/update-000002.png")), Files.readAllBytes(cut.resolve("samples/update-000002.png")));
        assertEquals(Files.readAllLines(whole.resolve("evaluations.jsonl")), Files.readAllLines(cut.resolve("evaluations.jsonl")));
        assertArrayEquals(Files.readAllBytes(whole.resolve("reward.svg")), Files.readAllBytes(cut.resolve("reward.svg")));
    }

    @Test void microBatchChangesNeitherPromptsNorNoise() throws IOException {
        Silent one = train(folder.resolve("one"), config(1, 1, OptionalDouble.empty()), Optional.empty(), NEVER, TrainLoop.Ending.DONE);
        Silent four = train(folder.resolve("four"), config(1, 4, OptionalDouble.empty()), Optional.empty(), NEVER, TrainLoop.Ending.DONE);
        Metrics a = one.metrics.getFirst();
        Metrics b = four.metrics.getFirst();
        assertEquals(a.k(), b.k());
        assertEquals(a.rewardMean(), b.rewardMean(), 1e-5);
        assertEquals(a.rewardStd(), b.rewardStd(), 1e-5);
        assertEquals(a.gradNorm(), b.gradNorm(), 1e-3 * a.gradNorm());
    }

    @Test void checkpointOfOtherRankIsRefusedByName() throws IOException {
        train(folder.resolve("a"), config(1, 4, OptionalDouble.empty()), Optional.empty(), NEVER, TrainLoop.Ending.DONE);
        TrainConfig c = config(1, 4, OptionalDouble.empty());
        TrainConfig other = new TrainConfig(c.sampler(), c.method(), c.loss(), new LoraConfig(3, 3, LoraConfig.ATTENTION), c.optimizer(), 1, 4, 4, 7, 1, 0, 2, 4, LoraFile.Naming.PEFT, Regularisers.NONE);
        Path checkpoint = RunDirectory.checkpointsOf(folder.resolve("a")).getLast();
        IOException e = assertThrows(IOException.class, () -> train(folder.resolve("b"), other, Optional.of(checkpoint), NEVER, TrainLoop.Ending.DONE));
        assertTrue(e.getMessage().contains("--lora-rank"), e.getMessage());
    }

    @Test void secondWriterIsRefused() throws IOException {
        try (RunDirectory _ = RunDirectory.open(folder)) {
            IOException e = assertThrows(IOException.class, () -> RunDirectory.open(folder));
            assertEquals(folder + ": in use by another run; wait for it or choose another --output", e.getMessage());
        }
        RunDirectory.open(folder).close();
    }

    @Test void noiseIsKeyedByUpdateAndImage() {
        try (Backend cpu = new CpuBackend()) {
            float[] a = noise(cpu, 0, 0, 2);
            float[] b = noise(cpu, 0, 1, 1);
            assertArrayEquals(Arrays.copyOfRange(a, 256, 512), b, "image 1 has the same noise alone and as the second of two");
            assertFalse(Arrays.equals(b, noise(cpu, 1, 1, 1)), "another update has other noise");
            float[] first = RandomStream.keyed(1, StreamKey.NOISE.code(), 0, 0, 0).randn(256);
            assertEquals(first[64], a[1], "channel 1 of the first pixel is the stream's value 64");
        }
    }

    private static float[] noise(Backend b, int update, int first, int count) {
        return b.toFloats(new ChainNoise.Keyed(1, update, 4, 8, 8).initial(b, first, count));
    }
}
