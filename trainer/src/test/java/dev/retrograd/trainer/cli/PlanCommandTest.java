package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import dev.retrograd.core.GraphUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What `plan` prints, as text and as JSON.
class PlanCommandTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> COMMON = List.of("plan", "--flops=1", "--bandwidth=10", "--diversity-prompts=0");

    private static CommandLineRun plan(String... settings) {
        List<String> args = new ArrayList<>(COMMON);
        args.addAll(List.of(settings));
        CommandLineRun run = CommandLineRun.of(args.toArray(String[]::new));
        run.succeeds();
        return run;
    }

    private static JsonNode json(String... settings) throws IOException {
        List<String> args = new ArrayList<>(List.of(settings));
        args.addAll(List.of("--json", "--model=" + Golden.path("ci-sd/model"), "--steps=6", "--batch-size=2", "--prompt=a cat", "--truncation=full"));
        return JSON.readTree(plan(args.toArray(String[]::new)).out());
    }

    @Test void theTextHasEveryPartOfThePeakAndARowForEachK() {
        String out = plan("--steps=4", "--depth=1").out();
        List<String> lines = out.lines().toList();
        assertEquals("the model inside the jar, 64x64 pixels, 4 DDIM steps, guidance 3.0; alignprop, truncation uniform; 8 images per update, 8 at once; cpu, f32", lines.getFirst());
        for (String part : List.of("peak memory with K = 4, the most that a draw differentiates", "text encoder, UNet, VAE decoder", "rewards", "LoRA weights, optimiser, averages",
                "boundaries between segments, gradients", "largest segment: ", "tensors, all together", "packing buffers", "in all", "time at 1.000 TFLOP/s and 10.00 GB/s", "step 0", "decode", "reward compressibility")) {
            assertTrue(out.contains(part), part + " in " + out);
        }
        Pattern row = Pattern.compile(" +(\\d+) +[\\d.]+ MiB +\\d+ seg\\. +[\\d.e+-]+ +[\\d.]+% +[\\d.]+");
        assertEquals(List.of("1", "2", "4"), lines.stream().map(row::matcher).filter(Matcher::matches).map(m -> m.group(1)).toList());
    }

    @Test void aSmallerBatchThanThePresetsImagesAtOnceTakesThatManyAtOnce() {
        String first = plan("--steps=2", "--depth=0", "--batch-size=2").out().lines().findFirst().orElseThrow();
        assertTrue(first.contains("2 images per update, 2 at once"), first);
        String asked = plan("--steps=2", "--depth=0", "--batch-size=2", "--micro-batch-size=1").out().lines().findFirst().orElseThrow();
        assertTrue(asked.contains("2 images per update, 1 at once"), asked);
    }

    @Test void thePartsAddUp() throws IOException {
        JsonNode peak = json().get("peak_bytes");
        long parts = 0;
        for (String part : List.of("model", "rewards", "trained_and_optimizer", "boundaries_and_gradients", "largest_segment")) {
            assertTrue(peak.get(part).asLong() > 0, part);
            parts += peak.get(part).asLong();
        }
        assertEquals(peak.get("tensors").asLong(), parts);
        assertEquals(peak.get("total").asLong(), peak.get("tensors").asLong() + peak.get("workspace").asLong());
    }

    private static JsonNode last(JsonNode plan) {
        return plan.get("updates").get(plan.get("updates").size() - 1);
    }

    @Test void aBudgetTradesMemoryForRecomputation() throws IOException {
        JsonNode usual = last(json());
        JsonNode ample = last(json("--memory=2t"));
        assertEquals(0, ample.get("recomputed_flops").asDouble());
        assertTrue(ample.get("peak_bytes").asLong() > usual.get("peak_bytes").asLong());
        long budget = (usual.get("peak_bytes").asLong() + ample.get("peak_bytes").asLong()) / 2;
        JsonNode between = last(json("--memory=" + budget));
        assertTrue(between.get("peak_bytes").asLong() <= budget, between.toString());
        assertTrue(between.get("recomputed_flops").asDouble() > 0);
        assertTrue(between.get("recomputed_flops").asDouble() < usual.get("recomputed_flops").asDouble());
    }

    @Test void trainingAllWeightsTakesThemTheirMomentsAndTheirGradients() throws IOException {
        JsonNode lora = json().get("peak_bytes");
        JsonNode full = json("--trainable=full").get("peak_bytes");
        JsonNode averaged = json("--trainable=full", "--ema=0.9").get("peak_bytes");
        long copies = full.get("trained_and_optimizer").asLong();
        assertTrue(copies > lora.get("trained_and_optimizer").asLong());
        assertEquals(copies / 3, averaged.get("trained_and_optimizer").asLong() - copies, "an average is as large as the weights, of which there are three: weights and two moments");
        assertEquals(lora.get("model").asLong(), full.get("model").asLong(), "the base stays beside them");
    }

    @Test void theRooflineAddsUpAndTakesTheLongestOfThreeForEveryCall(@TempDir Path folder) throws IOException {
        Path markdown = folder.resolve("roofline.md");
        JsonNode all = json("--roofline", "--launch=50", "--markdown=" + markdown);
        JsonNode update = last(all);
        double flops = 0;
        for (JsonNode kernel : all.get("roofline").get("kernels")) {
            flops += kernel.get("flops").asDouble();
            double seconds = 0;
            for (String bound : List.of("arithmetic_seconds", "traffic_seconds", "launches_seconds")) {
                seconds += kernel.get(bound).asDouble();
            }
            double calls = kernel.get("calls").asDouble();
            double least = Math.max(50e-6 * calls, Math.max(kernel.get("flops").asDouble() / 1e12, kernel.get("bytes").asDouble() / 10e9));
            double most = 50e-6 * calls + kernel.get("flops").asDouble() / 1e12 + kernel.get("bytes").asDouble() / 10e9;
            assertTrue(seconds >= least * (1 - 1e-9) && seconds <= most * (1 + 1e-9), kernel.toString());
        }
        assertEquals(update.get("flops").asDouble(), flops, flops * 1e-12);
        List<String> lines = Files.readAllLines(markdown);
        assertEquals("| kernel | calls | GFLOP | GB | FLOP/byte | ms at least | % of all | bound |", lines.getFirst());
        assertTrue(lines.getLast().startsWith("| all | "), lines.getLast());
    }

    @Test void aRooflineOfAGpuNeedsItsCeilings() {
        CommandLineRun run = CommandLineRun.of("plan", "--arch=sd15", "--device=cuda", "--depth=0", "--roofline", "--steps=1");
        assertEquals(2, run.code());
        assertTrue(run.err().contains("--flops"), run.err());
    }

    @Test void cudaGraphsHaveTheirShareOfTheMemory() throws IOException {
        String[] settings = {"--arch=sd15", "--device=cuda", "--depth=0", "--steps=1", "--json"};
        JsonNode with = JSON.readTree(plan(settings).out()).get("peak_bytes");
        String[] off = Arrays.copyOf(settings, settings.length + 1);
        off[settings.length] = "--cuda-graphs=off";
        JsonNode without = JSON.readTree(plan(off).out()).get("peak_bytes");
        long graphs = with.get("graphs").asLong();
        assertTrue(graphs > 1000 * GraphUse.ASSUMED_BYTES_PER_LAUNCH && graphs <= GraphUse.planned(Long.MAX_VALUE), "bytes of graphs: " + graphs);
        assertEquals(0, without.get("graphs").asLong());
        assertEquals(with.get("total").asLong() - graphs, without.get("total").asLong());
    }

    @Test void aBudgetThatGraphsDoNotFitIntoSaysSo() {
        String[] settings = {"plan", "--model=" + Golden.path("ci-sd/model"), "--steps=2", "--prompt=a cat", "--device=cuda", "--memory=600m"};
        CommandLineRun.of(settings).failsWith(ExitCode.USAGE, "of weights and workspace and CUDA graphs (--cuda-graphs off does without)");
        String[] off = Arrays.copyOf(settings, settings.length + 1);
        off[settings.length] = "--cuda-graphs=off";
        CommandLineRun.of(off).succeeds();
    }

    /// Rows that are quick to plan; the others are planned by the same code.
    @ParameterizedTest
    @ValueSource(strings = {"--device cuda", "--device cpu --trainable full"})
    void theDocumentsRowIsWhatThePlanSays(String flags) throws IOException {
        String document = Files.readString(Golden.repository().resolve("docs/memory.md"));
        Matcher row = Pattern.compile("\\| `" + Pattern.quote(flags) + "` \\| ([\\d.]+ GiB) \\| ([\\d.]+ GiB) \\|").matcher(document);
        assertTrue(row.find(), "a row with " + flags);
        List<String> args = new ArrayList<>(List.of(flags.split(" ")));
        args.addAll(List.of("--arch=sd15", "--depth=0"));
        List<String> k = plan(args.toArray(String[]::new)).out().lines().filter(l -> l.matches(" +(1|50) .*seg\\..*")).map(l -> l.trim().replaceFirst("^\\d+ +", "").replaceFirst("(GiB).*", "$1")).toList();
        assertEquals(List.of(row.group(1), row.group(2)), k);
    }
}
