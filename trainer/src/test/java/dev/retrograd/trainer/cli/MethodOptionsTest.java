package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class MethodOptionsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path temp;

    private JsonNode config(Path run) throws IOException {
        return JSON.readTree(run.resolve("config.json").toFile());
    }

    @ParameterizedTest
    @EnumSource(MethodChoice.class)
    void helpNamesEveryMethodAndItsDefaults(MethodChoice method) {
        String help = CommandLineRun.of("train", "--help").out().replaceAll("\\s+", " ");
        assertTrue(help.contains(method.id()), method.id());
        assertTrue(help.contains(method.describeDefaults()), method + ": " + method.describeDefaults());
    }

    @Test void aMethodsDefaultsLieUnderThePresetAndAreKeptInTheRunsSettings() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train("--method=refl", "--output=" + run).succeeds();
        JsonNode settings = config(run);
        assertEquals("refl", settings.get("method").textValue());
        assertEquals(1, settings.get("eta").doubleValue(), "the method's");
        assertEquals(1, settings.get("guidance").doubleValue(), "the method's");
        Path again = temp.resolve("again");
        CommandLineRun.train("--config=" + run.resolve("config.json"), "--output=" + again).succeeds();
        assertEquals(settings, config(again));
    }

    /// In place of the reward's, a method's own layer holds; several rewards have none.
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"clip|alignprop|12", "HPS:2|draft|12", "aesthetic|draft-lv|8", "clip|refl|4", "clip,hps|alignprop|4", "compressibility|alignprop|4"})
    void thePresetHasALayerForARewardThatNeedsOne(String reward, String method, int sampleImages) throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun trained = CommandLineRun.train("--reward=" + reward, "--method=" + method, "--learning-rate=0.5", "--output=" + run);
        trained.succeeds();
        assertEquals(sampleImages, config(run).get("sample-images").intValue());
        assertEquals(0.5, config(run).get("learning-rate").doubleValue(), "flags lie over it");
        String preset = trained.out().lines().filter(l -> l.startsWith("preset ")).findFirst().orElseThrow();
        assertTrue(preset.contains("save-every 5"), preset);
        assertEquals(sampleImages != 4, preset.contains("sample-images " + sampleImages), preset);
        assertFalse(preset.contains("learning-rate"), "a flag's: " + preset);
    }

    @Test void theRewardThatNothingNamesHasItsLayerToo() throws IOException {
        Path unnamed = temp.resolve("unnamed");
        CommandLineRun.train("--output=" + unnamed).succeeds();
        Path named = temp.resolve("named");
        CommandLineRun.train("--reward=compressibility", "--output=" + named).succeeds();
        assertEquals(config(named), config(unnamed));
        assertTrue(config(unnamed).get("kl-coefficient").doubleValue() > 0, "the layer's");
    }

    @Test void aRunStopsEarlyOnceItsImagesAreTooAlikeAndSaysWhatItMeasured() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun trained = CommandLineRun.train("--updates=4", "--sample-every=1", "--diversity-prompts=1", "--diversity-floor=1.9", "--kl-coefficient=0.1", "--sampler=edict", "--output=" + run);
        trained.succeeds();
        assertTrue(trained.out().contains("stopped early after update 1 of 4: diversity "), trained.out());
        assertEquals(1, Files.readAllLines(run.resolve("metrics.jsonl")).size());
        JsonNode last = JSON.readTree(Files.readAllLines(run.resolve("diversity.jsonl")).getLast());
        assertEquals(1, last.get("update").intValue());
        assertTrue(last.get("diversity").doubleValue() > 0 && last.get("diversity").doubleValue() < 1.9, last.toString());
        assertTrue(Files.exists(run.resolve("lora/pytorch_lora_weights.safetensors")), "the result is there");
    }

    @ParameterizedTest
    @CsvSource({"draft, --draft-steps=3", "draft, --draft-steps=0", "draft-lv, --draft-renoisings=0", "drtune, --drtune-steps=3", "drtune, --drtune-steps=0", "refl, --refl-margin=NaN", "refl, --refl-scale=0",
            "refl, --target=1", "refl, --sampler=edict", "ddpo, --eta=0", "alignprop, --kl-coefficient=-1", "alignprop, --stop-patience=1", "alignprop, --diversity-floor=0.1", "ddpo, --ddpo-min-count=33", "rwr, --rwr-samples=0"})
    void impossibleSettingsOfAMethodNameTheirFlag(String method, String setting) {
        CommandLineRun.train("--method=" + method, setting, "--output=" + temp.resolve("run")).failsWith(ExitCode.USAGE, setting.split("=")[0]);
    }
}
