package dev.retrograd.trainer.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The `README.md` beside a LoRA, or in the folder of a model that was trained as a whole: what it is, what it was trained on and how, how to use it. Its front matter is what model hubs read.
public final class ModelCard {
    private static final String NAME = "README.md";
    private static final ObjectMapper JSON = new ObjectMapper();
    /// Settings that name files of the machine that trained say nothing to others.
    private static final List<String> LOCAL = List.of("lora", "reward-model", "reward-head", "device", "config");

    private ModelCard() {}

    /// Writes the card of a finished run's result.
    ///
    /// @param run the run's folder
    /// @param result folder of the LoRA, or of the model
    /// @param model what the base model is called
    /// @throws IOException if the run cannot be read or the card not written
    public static Path write(Path run, Path result, String model) throws IOException {
        ObjectNode all = RunSummary.read(run);
        List<String> lines = new ArrayList<>();
        JsonNode config = all.get("config");
        boolean whole = config.path("trainable").asText().equals("full");
        frontMatter(lines, model, whole);
        String rewards = values(config.path("reward"));
        lines.add("# " + model + " aligned to " + rewards);
        lines.add("");
        lines.add("Made by Retrograd with `--method " + config.path("method").asText() + "`: " + (whole ? "a diffusers folder, all weights of whose UNet were trained." : "a LoRA of the UNet."));
        lines.add("");
        results(lines, all.get("metrics"));
        usage(lines, whole);
        lines.add("## Settings");
        lines.add("");
        lines.add("| setting | value |");
        lines.add("|---|---|");
        for (Map.Entry<String, JsonNode> e : config.properties()) {
            if (!LOCAL.contains(e.getKey()) && !e.getKey().equals("model")) {
                lines.add("| " + e.getKey() + " | " + values(e.getValue()).replace("|", "\\|").replace("\n", " ") + " |");
            }
        }
        lines.add("");
        lines.add("Made by Retrograd " + all.path("environment").path("version").asText() + ". The base model's licence and limits apply.");
        Path file = result.resolve(NAME);
        AtomicFile.writeString(file, String.join("\n", lines) + "\n");
        return file;
    }

    private static void frontMatter(List<String> lines, String model, boolean whole) throws JsonProcessingException {
        lines.add("---");
        // JSON strings are YAML strings.
        lines.add("base_model: " + JSON.writeValueAsString(model));
        lines.add("library_name: diffusers");
        lines.add("pipeline_tag: text-to-image");
        lines.add("tags: [" + (whole ? "" : "lora, ") + "text-to-image, stable-diffusion, diffusers, alignprop, retrograd]");
        lines.add("---");
        lines.add("");
    }

    private static void results(List<String> lines, JsonNode metrics) {
        if (metrics.isEmpty()) {
            return;
        }
        JsonNode first = metrics.get(0);
        JsonNode last = metrics.get(metrics.size() - 1);
        lines.add(String.format(Locale.ROOT, "Mean reward of the images of the first update: %.4f; of update %d: %.4f.", first.path("reward_mean").asDouble(), last.path("update").asInt(),
                last.path("reward_mean").asDouble()));
        lines.add("");
    }

    private static void usage(List<String> lines, boolean whole) {
        lines.add("## Use");
        lines.add("");
        lines.add("```python");
        lines.add(whole ? "pipe = StableDiffusionPipeline.from_pretrained(\"FOLDER\")"
                : "pipe.load_lora_weights(\"FOLDER\", weight_name=\"pytorch_lora_weights.safetensors\")  # a diffusers StableDiffusionPipeline");
        lines.add("```");
        lines.add("");
        lines.add("```");
        lines.add("java -jar trainer.jar sample --model " + (whole ? "FOLDER" : "BASE --lora FOLDER") + " --prompt \"…\"");
        lines.add("```");
        lines.add("");
    }

    private static String values(JsonNode value) {
        if (!value.isArray()) {
            return value.asText();
        }
        List<String> all = new ArrayList<>();
        value.forEach(v -> all.add(v.asText()));
        return String.join(", ", all);
    }
}
