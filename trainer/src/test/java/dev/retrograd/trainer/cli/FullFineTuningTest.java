package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.DType;
import dev.retrograd.core.Golden;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.trainer.RunDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `train --trainable full`: every weight of the UNet is trained, and the result is a model that every command takes.
class FullFineTuningTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String UNET = "unet/diffusion_pytorch_model.safetensors";
    private static final Path MODEL = Golden.path("ci-sd/model");

    @TempDir
    private Path folder;

    private CommandLineRun train(String run, String... settings) {
        List<String> args = new ArrayList<>(List.of("--trainable=full", "--output=" + folder.resolve(run)));
        args.addAll(List.of(settings));
        return CommandLineRun.train(args.toArray(String[]::new));
    }

    private List<JsonNode> lines(String file) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve(file))) {
            lines.add(JSON.readTree(line));
        }
        return lines;
    }

    @Test void everyWeightMovesAndTheResultIsAModel() throws IOException {
        train("run", "--model=" + MODEL, "--learning-rate=1e-3", "--weight-decay=0", "--height=64", "--width=64").succeeds();
        Path result = folder.resolve("run/model");
        assertFalse(Files.exists(folder.resolve("run/lora")), "there is no LoRA");
        try (SafeTensors before = SafeTensors.open(MODEL.resolve(UNET)); SafeTensors after = SafeTensors.open(result.resolve(UNET))) {
            assertEquals(before.names(), after.names());
            for (String name : before.names()) {
                assertEquals(before.shape(name), after.shape(name), name);
                assertEquals(DType.F32, after.spec(name).dtype(), name);
                float[] was = before.floats(name);
                float[] is = after.floats(name);
                // The middle has one token, whose share of attention is 1 whatever query and key are.
                boolean alone = name.startsWith("mid_block") && (name.endsWith("attn1.to_q.weight") || name.endsWith("attn1.to_k.weight"));
                assertEquals(alone, Arrays.equals(was, is), name + " must have moved");
                for (int i = 0; i < was.length; i++) {
                    // AdamW's first step is lr·sign(gradient).
                    assertTrue(Math.abs(was[i] - is[i]) <= 1.01e-3, name + "[" + i + "]: " + was[i] + " became " + is[i]);
                }
            }
        }
        for (String part : List.of("text_encoder/model.safetensors", "vae/diffusion_pytorch_model.safetensors")) {
            assertSameTensors(MODEL.resolve(part), result.resolve(part));
        }
        CommandLineRun sampled = CommandLineRun.of("sample", "--model=" + result, "--prompt=a cat", "--steps=2", "--height=16", "--width=16", "--output=" + folder.resolve("images"));
        sampled.succeeds();
        assertTrue(Files.readString(result.resolve("README.md")).contains("from_pretrained"));
    }

    private static void assertSameTensors(Path expected, Path actual) throws IOException {
        try (SafeTensors a = SafeTensors.open(expected); SafeTensors b = SafeTensors.open(actual)) {
            for (String name : b.names()) {
                assertArrayEquals(a.floats(name), b.floats(name), name);
            }
        }
    }

    @Test void theMiniaturesRewardRises() throws IOException {
        train("run", "--updates=6", "--batch-size=4", "--micro-batch-size=4", "--prompts=world", "--steps=4", "--truncation=full", "--learning-rate=3e-4", "--height=32", "--width=32").succeeds();
        List<JsonNode> evaluations = lines("run/evaluations.jsonl");
        List<JsonNode> training = evaluations.stream().filter(e -> e.get("prompts").asText().equals("training")).toList();
        assertTrue(training.getLast().get("reward_mean").asDouble() > training.getFirst().get("reward_mean").asDouble(), training.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"--method=alignprop", "--method=ddpo --ddpo-updates-per-epoch=1 --reward=jpeg-size:-1", "--method=drtune --drtune-steps=2 --kl-coefficient=0.5"})
    void aResumedRunEndsInTheSameBytes(String method) throws IOException {
        List<String> settings = new ArrayList<>(List.of("--model=" + MODEL, "--updates=3", "--ema=0.9", "--learning-rate=1e-3", "--keep-checkpoints=0"));
        settings.addAll(List.of(method.split(" ")));
        train("whole", settings.toArray(String[]::new)).succeeds();
        Path first = folder.resolve("whole/checkpoints").resolve(RunDirectory.updateName(1));
        assertFalse(Files.exists(first.resolve("pytorch_lora_weights.safetensors")));
        byte[] pictures = Files.readAllBytes(folder.resolve("whole/samples/before-after.png"));
        byte[] weights = Files.readAllBytes(folder.resolve("whole/model").resolve(UNET));
        Files.delete(folder.resolve("whole/model").resolve(UNET));
        CommandLineRun.of("train", "--resume=" + first).succeeds();
        assertArrayEquals(weights, Files.readAllBytes(folder.resolve("whole/model").resolve(UNET)));
        assertArrayEquals(pictures, Files.readAllBytes(folder.resolve("whole/samples/before-after.png")), "also those of the weights that the run started from");
    }

    @Test void itsCheckpointIsNoLorasAndTheOtherWayRound() {
        train("full", "--model=" + MODEL).succeeds();
        CommandLineRun.of("train", "--resume=" + folder.resolve("full"), "--trainable=lora", "--updates=2").failsWith(ExitCode.FAILED, "state.safetensors: was saved by a run with other --method, --trainable");
    }

    @Test void aLoraToStartFromIsRefused() {
        train("run", "--model=" + MODEL, "--lora=" + Golden.path("ci-alignprop/lora")).failsWith(ExitCode.USAGE, "retrograd: --lora: must be left out with --trainable full (merge puts it into the model first)");
        assertFalse(Files.exists(folder.resolve("run")));
    }

    @Test void itsLearningRateIsItsOwn() throws IOException {
        train("run", "--model=" + MODEL).succeeds();
        JsonNode config = JSON.readTree(Files.readString(folder.resolve("run/config.json")));
        assertEquals("full", config.get("trainable").asText());
        assertEquals(1e-5, config.get("learning-rate").asDouble());
    }
}
