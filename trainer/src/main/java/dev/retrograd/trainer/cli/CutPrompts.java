package dev.retrograd.trainer.cli;

import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Says which prompts are longer than a model reads, and what it does not see of them. Parity: the warning of diffusers' `encode_prompt`.
final class CutPrompts {
    /// Of a long list, the first are named and the others counted.
    private static final int NAMED = 5;

    private CutPrompts() {
    }

    static void say(PrintWriter out, StableDiffusion model, List<String> prompts, String negativePrompt) {
        ClipTokenizer tokenizer = model.tokenizer();
        int room = tokenizer.options().maxLength() - 2;
        List<String> cut = Stream.concat(prompts.stream(), Stream.of(negativePrompt)).distinct().filter(p -> tokenizer.encode(p).length > room).toList();
        for (String prompt : cut.subList(0, Math.min(NAMED, cut.size()))) {
            int[] ids = tokenizer.encode(prompt);
            out.println("warning: the model reads " + room + " tokens of a prompt, got " + ids.length + "; this part is cut off: \"" + tokenizer.decode(Arrays.copyOfRange(ids, room, ids.length)) + "\"");
        }
        if (cut.size() > NAMED) {
            out.println("warning: " + (cut.size() - NAMED) + " more prompts are cut off at " + room + " tokens");
        }
    }
}
