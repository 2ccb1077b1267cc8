package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.trainer.pretrain.RandomModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Commands around model and LoRA files, as a user runs them.
class ModelCommandsTest {
    @TempDir
    private static Path shared;

    @TempDir
    private Path scratch;

    @BeforeAll static void make() {
        CommandLineRun.of("make-random-model", "--arch", "tiny", "--output", model()).succeeds();
    }

    private static String model() {
        return shared.resolve("tiny").toString();
    }

    private CommandLineRun sample(String to, String... more) {
        String[] args = {"sample", "--model", model(), "--height=16", "--width=24", "--steps=1", "--prompt=a fox", "--output", scratch.resolve(to).toString()};
        String[] all = Arrays.copyOf(args, args.length + more.length);
        System.arraycopy(more, 0, all, args.length, more.length);
        return CommandLineRun.of(all);
    }

    private byte[] image(String folder) throws IOException {
        return Files.readAllBytes(scratch.resolve(folder).resolve("grid.png"));
    }

    @Test void fullSizeModelsHaveTheWeightsOfStableDiffusion() throws IOException {
        assertEquals(859_520_964L, RandomModel.unetWeights(RandomModel.Arch.SD15));
        assertEquals(865_910_724L, RandomModel.unetWeights(RandomModel.Arch.SD21));
    }

    @Test void aSeedMakesTheSameModel() throws IOException {
        CommandLineRun.of("make-random-model", "--arch", "tiny", "--output", scratch.resolve("again").toString()).succeeds();
        String unet = "unet/diffusion_pytorch_model.safetensors";
        assertArrayEquals(Files.readAllBytes(Path.of(model(), unet)), Files.readAllBytes(scratch.resolve("again").resolve(unet)));
        CommandLineRun.of("make-random-model", "--arch", "tiny", "--output", model()).failsWith(ExitCode.FAILED, "must be new or empty");
    }

    @Test void singleFilesAndFoldersMakeTheSameImages() throws IOException {
        String single = scratch.resolve("tiny.safetensors").toString();
        CommandLineRun.of("merge", "--model", model(), "--output", single).succeeds();
        sample("folder").succeeds();
        CommandLineRun.of("sample", "--model", single, "--height=16", "--width=24", "--steps=1", "--prompt=a fox", "--output", scratch.resolve("single").toString()).succeeds();
        assertArrayEquals(image("folder"), image("single"));
    }

    @Test void lorasAddUpAndMergingThemIsTheSame() throws IOException {
        Path run = scratch.resolve("run");
        CommandLineRun.train("--model=" + model(), "--reward=compressibility", "--lora-targets=attention,conv", "--lora-naming=kohya", "--learning-rate=0.05", "--output=" + run).succeeds();
        String lora = run.resolve("lora").toString();
        sample("bare").succeeds();
        sample("halves", "--lora", lora + ":0.5", "--lora", lora + ":0.5").succeeds();
        sample("none", "--lora", lora, "--lora-scale", "0").succeeds();
        assertArrayEquals(image("bare"), image("none"));
        assertTrue(!Arrays.equals(image("bare"), image("halves")), "the LoRA changes the image");
        CommandLineRun.of("merge", "--model", model(), "--lora", lora, "--output", scratch.resolve("merged").toString(), "--dtype", "fp32").succeeds();
        assertTrue(Files.isRegularFile(scratch.resolve("merged/tokenizer/vocab.json")));
        CommandLineRun.of("sample", "--model", scratch.resolve("merged").toString(), "--height=16", "--width=24", "--steps=1", "--prompt=a fox", "--output", scratch.resolve("m").toString()).succeeds();
        CommandLineRun.of("merge", "--model", model(), "--lora", scratch.resolve("nothing").toString(), "--output", scratch.resolve("x").toString()).failsWith(ExitCode.FAILED, "nothing");
        assertTrue(Files.notExists(scratch.resolve("x")));
    }

    @Test void whatIsCutOffAPromptIsSaid() throws IOException {
        CommandLineRun run = sample("long", "--prompt", "red fox ".repeat(40) + "zebra", "--clip-skip=1");
        run.succeeds();
        assertTrue(run.out().contains("warning: the model reads 75 tokens of a prompt, got 81; this part is cut off: \"fox red fox red fox zebra\""), run.out());
        byte[] png = Files.readAllBytes(scratch.resolve("long/000.png"));
        assertTrue(new String(png, StandardCharsets.ISO_8859_1).contains(", Clip skip: 2"));
        sample("skip", "--clip-skip=2").failsWith(ExitCode.FAILED, "--clip-skip: must be 0..1");
    }
}
