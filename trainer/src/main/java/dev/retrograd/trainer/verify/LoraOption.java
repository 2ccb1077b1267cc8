package dev.retrograd.trainer.verify;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.UNet;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SequencedMap;

/// The option `lora`: `{"file", "same_values_file", "rank", "alpha", "targets"}`.
final class LoraOption {
    private LoraOption() {
    }

    /// Attaches the file's updates to a UNet.
    ///
    /// @throws ModelFormatException if it disagrees with what the option says about it
    static LoraWeights attach(CheckRun run, UNet unet) throws IOException {
        ModelConfig c = run.options().object("lora");
        OptionalDouble alpha = c.has("alpha") ? OptionalDouble.of(c.number("alpha", 0)) : OptionalDouble.empty();
        SequencedMap<String, LoraFile.Update> updates = LoraFile.read(run.file(c.text("file", "")), alpha);
        if (c.has("same_values_file")) {
            requireSame(c, updates, LoraFile.read(run.file(c.text("same_values_file", "")), alpha));
        }
        if (c.has("rank")) {
            int rank = c.integer("rank");
            updates.forEach((module, u) -> {
                if (u.rank() != rank) {
                    throw new IllegalArgumentException("lora: '" + module + "' must have rank " + rank + ", got " + u.rank());
                }
            });
        }
        if (c.has("targets")) {
            List<String> targets = List.of(c.texts("targets"));
            requireTargets(unet, new LoraConfig(1, 1, targets), updates);
        }
        c.done();
        return LoraWeights.of(run.backend(), unet, updates, 1);
    }

    private static void requireSame(ModelConfig c, Map<String, LoraFile.Update> updates, Map<String, LoraFile.Update> again) throws IOException {
        boolean same = updates.keySet().equals(again.keySet()) && updates.entrySet().stream().allMatch(e -> {
            LoraFile.Update other = again.get(e.getKey());
            return Arrays.equals(e.getValue().a(), other.a()) && Arrays.equals(e.getValue().b(), other.b()) && e.getValue().alpha() == other.alpha();
        });
        if (!same) {
            throw c.refuse("'same_values_file' must hold the same updates as 'file'");
        }
    }

    private static void requireTargets(UNet unet, LoraConfig targets, Map<String, LoraFile.Update> updates) {
        unet.linears().stream().map(l -> l.name()).filter(targets::matches).filter(m -> !updates.containsKey(m)).findFirst().ifPresent(module -> {
            throw new IllegalArgumentException("lora: the file must hold an update of '" + module + "', which the targets match, got none");
        });
        updates.keySet().stream().filter(m -> !targets.matches(m)).findFirst().ifPresent(module -> {
            throw new IllegalArgumentException("lora: the file holds an update of '" + module + "', which no target matches");
        });
    }
}
