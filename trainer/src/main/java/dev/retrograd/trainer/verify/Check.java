package dev.retrograd.trainer.verify;

import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// One entry of `checks.json`.
///
/// @param kind of computation
/// @param options of it, of which those that every kind has are read already
/// @param model folder, relative to the reference folder; empty where the kind needs none
/// @param inputs tensor names, or files where the key ends in `_file`
/// @param expected limits by name of the result, not read yet: a bad one fails its own line only
record Check(String kind, ModelConfig options, String model, SequencedMap<String, String> inputs, SequencedMap<String, ModelConfig> expected) {

    /// @param model of the folder, for a check without its own
    /// @throws dev.retrograd.core.io.ModelFormatException if it has no kind, or nothing is expected of it
    static Check of(ModelConfig c, String model) throws IOException {
        String kind = c.text("kind", "");
        ModelConfig inputs = c.object("inputs");
        ModelConfig expect = c.object("expect");
        SequencedMap<String, String> names = new LinkedHashMap<>();
        for (String key : inputs.keys()) {
            names.put(key, inputs.text(key, ""));
        }
        SequencedMap<String, ModelConfig> expected = new LinkedHashMap<>();
        for (String key : expect.keys()) {
            expected.put(key, expect.object(key));
        }
        if (kind.isEmpty() || expected.isEmpty()) {
            throw c.refuse("a check must have a 'kind' and something to 'expect'");
        }
        c.ignore("note");
        return new Check(kind, c, c.text("model", model), names, expected);
    }
}
