package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.trainer.RunDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `train --method doodl`: the noise of fixed images is optimised, weights stay as they are.
class DoodlTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private CommandLineRun doodl(String run, String... settings) {
        List<String> args = new ArrayList<>(List.of("--method=doodl", "--output=" + folder.resolve(run)));
        args.addAll(List.of(settings));
        return CommandLineRun.train(args.toArray(String[]::new));
    }

    private static float[] latents(Path run) throws IOException {
        try (SafeTensors file = SafeTensors.open(run.resolve("latents.safetensors"))) {
            return file.floats("latents");
        }
    }

    @Test void theRewardRisesAndTheNoiseKeepsItsNorm() throws IOException {
        CommandLineRun run = doodl("run", "--updates=6", "--prompts=world", "--sample-images=2", "--steps=4", "--micro-batch-size=2", "--learning-rate=100", "--doodl-clip=0.01", "--height=32", "--width=32");
        run.succeeds();
        assertTrue(run.out().contains("initial noise of 2 images, 4x4x4 values each; no weight is trained"), run.out());
        List<JsonNode> evaluations = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve("run/evaluations.jsonl"))) {
            evaluations.add(JSON.readTree(line));
        }
        assertEquals(List.of(0, 6), evaluations.stream().map(e -> e.get("update").asInt()).toList());
        assertTrue(evaluations.getLast().get("reward_mean").asDouble() > evaluations.getFirst().get("reward_mean").asDouble(), evaluations.toString());
        assertTrue(Files.size(folder.resolve("run/samples/before-after.png")) > 0);
        assertFalse(Files.exists(folder.resolve("run/lora")));
        try (SafeTensors file = SafeTensors.open(folder.resolve("run/latents.safetensors"))) {
            assertEquals(Shape.of(2, 4, 4, 4), file.shape("latents"));
            assertTrue(file.metadata().containsKey("prompt.001"), file.metadata().toString());
        }
        doodl("start", "--updates=1", "--prompts=world", "--sample-images=2", "--steps=4", "--micro-batch-size=2", "--learning-rate=0", "--doodl-noise=0", "--height=32", "--width=32").succeeds();
        float[] before = latents(folder.resolve("start"));
        float[] after = latents(folder.resolve("run"));
        for (int image = 0; image < 2; image++) {
            double moved = 0;
            double was = 0;
            double is = 0;
            for (int i = image * 64; i < (image + 1) * 64; i++) {
                moved += Math.abs(after[i] - before[i]);
                was += before[i] * before[i];
                is += after[i] * after[i];
            }
            assertTrue(moved > 0.1, "image " + image + " moved by " + moved);
            assertEquals(Math.sqrt(was), Math.sqrt(is), 1e-5 * Math.sqrt(was));
        }
    }

    @Test void aResumedRunEndsInTheSameBytes() throws IOException {
        doodl("whole", "--model=" + Golden.path("ci-sd/model"), "--updates=3", "--keep-checkpoints=0", "--learning-rate=100").succeeds();
        Path whole = folder.resolve("whole");
        byte[] latents = Files.readAllBytes(whole.resolve("latents.safetensors"));
        byte[] pictures = Files.readAllBytes(whole.resolve("samples/before-after.png"));
        Files.delete(whole.resolve("latents.safetensors"));
        CommandLineRun.of("train", "--resume=" + whole.resolve("checkpoints").resolve(RunDirectory.updateName(1))).succeeds();
        assertArrayEquals(latents, Files.readAllBytes(whole.resolve("latents.safetensors")));
        assertArrayEquals(pictures, Files.readAllBytes(whole.resolve("samples/before-after.png")));
    }

    @Test void anImagesPlaceInTheMicroBatchChangesLittle() throws IOException {
        String[] common = {"--model=" + Golden.path("ci-sd/model"), "--prompts=animals", "--sample-images=3", "--learning-rate=100"};
        doodl("one", common).succeeds();
        List<String> together = new ArrayList<>(List.of(common));
        together.add("--micro-batch-size=2");
        doodl("two", together.toArray(String[]::new)).succeeds();
        assertArrayEquals(latents(folder.resolve("one")), latents(folder.resolve("two")), 1e-5f);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "--sampler=ddim|--sampler: must be edict with --method doodl",
        "--trainable=full|--trainable: must be left out with --method doodl, which trains no weights",
        "--ema=0.9|--ema: must be left out with --method doodl",
        "--kl-coefficient=0.1|--kl-coefficient: must be 0 with --method doodl",
        "--doodl-clip=0|--doodl-clip: must be above 0, got 0.0",
        "--doodl-momentum=1|--doodl-momentum: must be 0 or more and below 1, got 1.0",
        "--doodl-noise=-1|--doodl-noise: must be 0 or more, got -1.0",
        "--reward=jpeg-size:-1|jpeg-size"})
    void whatCannotBeIsRefusedBeforeAnythingIsWritten(String setting, String message) {
        doodl("run", "--model=" + Golden.path("ci-sd/model"), setting).failsWith(ExitCode.USAGE, message);
        assertFalse(Files.exists(folder.resolve("run")));
    }
}
