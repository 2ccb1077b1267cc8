package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
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

    @ParameterizedTest
    @CsvSource({"draft, --draft-steps=3", "draft, --draft-steps=0", "draft-lv, --draft-renoisings=0", "drtune, --drtune-steps=3", "drtune, --drtune-steps=0", "refl, --refl-margin=NaN", "refl, --refl-scale=0",
            "refl, --target=1"})
    void impossibleSettingsOfAMethodNameTheirFlag(String method, String setting) {
        CommandLineRun.train("--method=" + method, setting, "--output=" + temp.resolve("run")).failsWith(ExitCode.USAGE, setting.split("=")[0]);
    }
}
