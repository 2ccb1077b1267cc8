package dev.retrograd.trainer.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.trainer.method.PpoLoss;
import dev.retrograd.trainer.method.PromptStatistics;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// DDPO's loss and advantages.
final class DdpoKinds {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String REWARDS = "rewards.";
    private static final double CLIP_RANGE = 1e-4;
    private static final double ADVANTAGE_CLIP = 5;
    private static final int BUFFER = 32;
    private static final int MINIMUM = 16;

    private DdpoKinds() {
    }

    /// `ratio`, the mean `loss` and its gradient `grad:log_probs`, `approx_kl` and `clipfrac`, of `log_probs`, `old_log_probs` and `advantages`.
    static void ppo(CheckRun run) throws IOException {
        ModelConfig c = run.options();
        PpoLoss loss = new PpoLoss(c.number("clip_range", CLIP_RANGE), c.number("advantage_clip", ADVANTAGE_CLIP));
        try (Tape tape = run.tape()) {
            Var now = run.leaf(tape, "log_probs");
            Var old = tape.constant(run.tensor("old_log_probs"));
            PpoLoss.Terms terms = loss.of(now, old, tape.constant(run.tensor("advantages")));
            float[] ratios = run.backend().toFloats(terms.ratio().value());
            run.put("ratio", terms.ratio().value());
            run.put("approx_kl", Values.scalar(PpoLoss.approximateKl(run.backend().toFloats(now.value()), run.backend().toFloats(old.value()))));
            run.put("clipfrac", Values.scalar(loss.clippedShare(ratios)));
            Var mean = terms.losses().apply(SumTo.all()).affine(1.0 / ratios.length, 0);
            run.put("loss", mean.value());
            run.differentiate(mean, run.tensor("one", mean.shape(), 1), Map.of("log_probs", now), Map.of());
        }
    }

    /// For each call N of the tracker: `advantages.N` by prompt and `plain.N` without prompts, of `rewards.N` and the Nth list of prompts in `prompts_file`.
    static void advantages(CheckRun run) throws IOException {
        ModelConfig c = run.options();
        PromptStatistics statistics = new PromptStatistics(c.integer("buffer_size", BUFFER), c.integer("min_count", MINIMUM));
        List<List<String>> prompts = prompts(run.file(run.named("prompts_file")));
        for (int i = 0; run.has(REWARDS + i); i++) {
            float[] rewards = run.backend().toFloats(run.tensor(REWARDS + i));
            if (i >= prompts.size() || prompts.get(i).size() != rewards.length) {
                throw new ModelFormatException("per-prompt-advantages: '" + REWARDS + i + "' must have a prompt for each of its " + rewards.length + " rewards");
            }
            run.put("advantages." + i, run.tensor("advantages", run.tensor(REWARDS + i).shape(), statistics.advantages(prompts.get(i), rewards)));
            run.put("plain." + i, run.tensor("plain", run.tensor(REWARDS + i).shape(), PromptStatistics.plain(rewards)));
        }
    }

    private static List<List<String>> prompts(Path file) throws IOException {
        List<List<String>> calls = new ArrayList<>();
        for (JsonNode call : JSON.readTree(file.toFile())) {
            List<String> texts = new ArrayList<>();
            call.forEach(text -> texts.add(text.asText()));
            calls.add(texts);
        }
        return calls;
    }
}
