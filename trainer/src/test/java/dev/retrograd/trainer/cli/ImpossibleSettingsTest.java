package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImpossibleSettingsTest {

    @TempDir
    private Path temp;

    static Stream<String> impossible() {
        return Stream.of("--steps=", "--steps=0", "--steps=-1", "--steps=1.5", "--steps=1000", "--steps=1001", "--steps=99999999999", "--guidance=NaN", "--guidance=1e400", "--eta=-0.1", "--eta=2",
                "--eta=NaN", "--height=0", "--height=-8", "--height=12", "--width=20000", "--width=x", "--updates=0", "--batch-size=0", "--batch-size=2147483647", "--micro-batch-size=0",
                "--micro-batch-size=2", "--learning-rate=-1", "--learning-rate=NaN", "--learning-rate=Infinity", "--warmup=-1", "--warmup=2", "--weight-decay=-1", "--weight-decay=NaN",
                "--adam-betas=0.9", "--adam-betas=0.9,1", "--adam-betas=0.9,0.99,0.999", "--adam-betas=,", "--max-grad-norm=-1", "--max-grad-norm=Infinity", "--ema=1", "--ema=NaN", "--lora-rank=0",
                "--lora-rank=2147483647", "--lora-alpha=0", "--lora-alpha=NaN", "--lora-targets=nothing", "--lora-targets=,", "--lora-targets=conv_inn", "--seed=x", "--save-every=0",
                "--keep-checkpoints=-1", "--sample-every=-1", "--sample-images=0", "--threads=0", "--jpeg-quality=0", "--jpeg-quality=101", "--target=NaN", "--truncation=fixed(0)", "--truncation=fixed(3)",
                "--truncation=fixed(99999999999)", "--truncation=uniform(0,3)", "--truncation=uniform(2,1)", "--truncation=gaussian(NaN,1)", "--truncation=", "--truncation=half", "--device=tpu",
                "--reward=beauty", "--reward=concept-removal", "--method=luck", "--lr-schedule=up", "--prompts=", "--prompt-template=a photo", "--model=", "--lora=", "--config=", "--resume=", "--stepz=3");
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void areWrongUsageThatNamesTheFlagAndLeavesNothing(String argument) {
        Path output = temp.resolve("runs/here");
        CommandLineRun.train(argument, "--output=" + output).failsWith(ExitCode.USAGE, argument.split("=")[0]);
        assertFalse(Files.exists(temp.resolve("runs")), "no folder may be left");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--images-per-prompt=0", "--images-per-prompt=2147483647", "--micro-batch-size=0", "--lora-scale=NaN", "--steps=0", "--height=9"})
    void ofSampleToo(String argument) {
        Path output = temp.resolve("pictures");
        CommandLineRun.of("sample", "--prompt=x", argument, "--output=" + output).failsWith(ExitCode.USAGE, argument.split("=")[0]);
        assertFalse(Files.exists(output), "no folder may be left");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"stepz\": 3}", "{\"steps\": \"many\"}", "{\"steps\": [1, 2]}", "{\"steps\": null}", "{\"steps\": {}}", "{\"steps\": 1, \"steps\": 2}", "[1]", "7", "", "{\"steps\": 3} 4",
        "{\"steps\": 0}", "{\"output\": \"here\"}", "{\"adam-betas\": [0.9]}"})
    void ofASettingsFileToo(String json) throws IOException {
        Path file = Files.writeString(temp.resolve("settings.json"), json);
        CommandLineRun.train("--config=" + file, "--batch-size=1", "--micro-batch-size=1").failsWith(ExitCode.USAGE);
    }

    @Test
    void deeplyNestedSettingsAreRefused() throws IOException {
        Path file = Files.writeString(temp.resolve("settings.json"), "{\"steps\":" + "[".repeat(100_000));
        CommandLineRun.train("--config=" + file).failsWith(ExitCode.USAGE, file.toString());
    }

    @Test
    void settingsThatAreNotUtf8AreRefused() throws IOException {
        Path file = Files.write(temp.resolve("settings.json"), new byte[] {'{', '"', (byte) 0xFF, '"', ':', '1', '}'});
        CommandLineRun.train("--config=" + file).failsWith(ExitCode.USAGE, file.toString());
    }

    @Test
    void aMissingSettingsFileIsAFailure() {
        CommandLineRun.train("--config=" + temp.resolve("absent")).failsWith(ExitCode.FAILED, "absent");
        CommandLineRun.train("--config=" + temp).failsWith(ExitCode.FAILED, temp.toString());
    }

    @Test
    void resumedRunAndOutputMustAgree() throws IOException {
        Path run = Files.createDirectory(temp.resolve("run"));
        CommandLineRun.train("--resume=" + run, "--output=" + temp.resolve("other")).failsWith(ExitCode.USAGE, "--output");
        assertTrue(Files.notExists(temp.resolve("other")));
    }
}
