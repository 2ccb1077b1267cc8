package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What an update takes is known before it runs, to the byte, whatever the settings.
class PlannedTrainingTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private List<JsonNode> metrics(String run) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl"))) {
            lines.add(JSON.readTree(line));
        }
        return lines;
    }

    private CommandLineRun train(String run, String settings) {
        List<String> args = new ArrayList<>(List.of("--output=" + folder.resolve(run), "--updates=2", "--sample-every=0"));
        args.addAll(List.of(settings.split(" ")));
        return CommandLineRun.train(args.toArray(String[]::new));
    }

    private static String model() {
        return "--model=" + Golden.path("ci-sd/model") + " ";
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "--truncation=full --steps=3 --batch-size=2 --micro-batch-size=2",
        "--truncation=fixed(1) --steps=3",
        "--batch-size=5 --micro-batch-size=2",
        "--batch-size=3 --guidance=1 --eta=1 --truncation=fixed(2)",
        "--height=24 --width=40 --reward=incompressibility --ema=0.9 --lora-rank=2 --lora-targets=to_q,ff.net.2",
        "--truncation=bernoulli --steps=4 --batch-size=3 --micro-batch-size=3 --seed=5",
        "--method=drtune --steps=4 --drtune-steps=2",
        "--method=draft-lv",
        "--method=refl",
        "--method=doodl --steps=3 --prompts=animals --sample-images=3 --micro-batch-size=2",
        "--method=doodl --steps=3 --height=64 --width=64 --memory=17m",
        "--trainable=full --steps=3 --truncation=fixed(2) --batch-size=2",
        "--trainable=full --ema=0.9 --kl-coefficient=0.1 --truncation=full",
        "--truncation=full --steps=3 --height=64 --width=64 --memory=17m",
        "--truncation=full --steps=3 --batch-size=2 --micro-batch-size=2 --height=24 --memory=13m"})
    void measuredPeakIsThePlans(String settings) throws IOException {
        CommandLineRun run = train("run", model() + settings);
        run.succeeds();
        assertTrue(run.out().contains("memory: "), run.out());
        List<JsonNode> updates = metrics("run");
        assertEquals(2, updates.size());
        for (JsonNode update : updates) {
            assertEquals(update.get("planned_peak_bytes").asLong(), update.get("peak_bytes").asLong(), settings);
            assertFalse(update.has("unplanned_allocations"), update.toString());
        }
    }

    @Test void measuredPeakIsThePlansWithRewardsThatRememberPrompts() throws IOException {
        CommandLineRun run = train("run", "--batch-size=3 --reward=clip:1,compressibility:2 --track=hps --prompts=animals");
        run.succeeds();
        for (JsonNode update : metrics("run")) {
            assertEquals(update.get("planned_peak_bytes").asLong(), update.get("peak_bytes").asLong());
        }
    }

    @Test void aBudgetChangesMemoryAndNotTheResult() throws IOException {
        train("usual", model() + "--truncation=full").succeeds();
        long usual = metrics("usual").getFirst().get("peak_bytes").asLong();
        train("budgeted", model() + "--truncation=full --memory=64m").succeeds();
        assertTrue(metrics("budgeted").getFirst().get("peak_bytes").asLong() > usual, "with room to spare nothing is recomputed");
        Path lora = Path.of("lora", "pytorch_lora_weights.safetensors");
        assertEquals(-1, Files.mismatch(folder.resolve("usual").resolve(lora), folder.resolve("budgeted").resolve(lora)));
    }

    @Test void aProfileTellsWhatAnUpdateTookAndChangesNothing() throws IOException {
        String settings = model() + "--truncation=full --steps=3 --batch-size=2 --micro-batch-size=2 --height=16 --width=24";
        train("plain", settings).succeeds();
        CommandLineRun run = train("profiled", settings + " --profile");
        run.succeeds();
        assertTrue(run.out().contains("profile of update 2: "), run.out());
        Path lora = Path.of("lora", "pytorch_lora_weights.safetensors");
        assertEquals(-1, Files.mismatch(folder.resolve("plain").resolve(lora), folder.resolve("profiled").resolve(lora)));
        assertEquals(metrics("plain").getLast().get("peak_bytes"), metrics("profiled").getLast().get("peak_bytes"));
        JsonNode profile = JSON.readTree(Files.readString(folder.resolve("profiled/profile.json")));
        for (String what : List.of("flops", "bytes", "calls")) {
            assertEquals(sum(profile.get("kernels"), what), sum(profile.get("segments"), what), what);
        }
        assertEquals(List.of("step #", "step #, again", "step #, backward"), names(profile.get("segments")).stream().filter(n -> n.startsWith("step")).sorted().toList());
        CommandLineRun plan = CommandLineRun.of(("plan --json " + settings).split(" "));
        plan.succeeds();
        double planned = JSON.readTree(plan.out()).get("updates").get(1).get("flops").asDouble();
        assertTrue(sum(profile.get("kernels"), "flops") >= planned && sum(profile.get("kernels"), "flops") < 1.1 * planned,
                "the plan's FLOPs and the optimiser's, " + planned + ", got " + sum(profile.get("kernels"), "flops"));
    }

    private static long sum(JsonNode parts, String what) {
        return parts.valueStream().mapToLong(p -> p.get(what).asLong()).sum();
    }

    private static List<String> names(JsonNode parts) {
        return parts.valueStream().map(p -> p.get("name").asText()).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"1k", "3m"})
    void anImpossibleBudgetIsRefusedBeforeAnythingIsWritten(String budget) {
        CommandLineRun run = train("run", model() + "--truncation=full --memory=" + budget);
        run.failsWith(ExitCode.USAGE, "retrograd: --memory: must be ");
        assertTrue(Files.notExists(folder.resolve("run")));
    }
}
