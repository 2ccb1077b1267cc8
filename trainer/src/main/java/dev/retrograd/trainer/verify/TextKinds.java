package dev.retrograd.trainer.verify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.JsonError;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.text.ClipTextEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// From prompts to token ids, and from ids to embeddings.
final class TextKinds {
    private static final ObjectMapper JSON = new ObjectMapper();

    private TextKinds() {
    }

    /// `ids` of the prompts in `prompts_file`, a JSON list of strings or of objects with `prompt`: `[prompts,77]`.
    static void tokenize(CheckRun run) throws IOException {
        int[][] ids = run.model().tokenize(prompts(run.file(run.named("prompts_file"))));
        double[] flat = Arrays.stream(ids).flatMapToInt(Arrays::stream).asDoubleStream().toArray();
        run.put("ids", new Values(Shape.of(ids.length, ids[0].length), flat));
    }

    private static List<String> prompts(Path file) throws IOException {
        JsonNode all;
        try {
            all = JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new ModelFormatException(file + ": not JSON: " + JsonError.withPlace(e));
        }
        List<String> prompts = new ArrayList<>();
        for (JsonNode one : all) {
            JsonNode text = one.isTextual() ? one : one.path("prompt");
            if (!text.isTextual()) {
                throw new ModelFormatException(file + ": must be a list of strings or of objects with a 'prompt', got " + one);
            }
            prompts.add(text.textValue());
        }
        if (prompts.isEmpty()) {
            throw new ModelFormatException(file + ": must hold at least one prompt");
        }
        return prompts;
    }

    /// `hidden_states.N`, `last_hidden_state` and `pooler_output` of `ids`.
    static void textEncode(CheckRun run) throws IOException {
        StableDiffusion model = run.model();
        int[][] ids = run.ids("ids");
        try (Tape tape = run.tape()) {
            ClipTextEncoder.Encoding e = model.textEncoder().forward(tape, ids);
            for (int i = 0; i < e.hiddenStates().size(); i++) {
                run.put("hidden_states." + i, e.hiddenStates().get(i).value());
            }
            run.put("last_hidden_state", e.last().value());
            run.put("pooler_output", e.pooled().value());
        }
    }
}
