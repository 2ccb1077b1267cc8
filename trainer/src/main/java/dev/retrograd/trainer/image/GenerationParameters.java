package dev.retrograd.trainer.image;

import java.util.Locale;
import java.util.Map;

/// How an image was made, as A1111's web UI writes it into PNG files under the keyword `parameters` and reads it back.
///
/// @param sampler as A1111 calls it: `DDIM`
/// @param model what `Model:` names
/// @param clipSkip layers left out, as diffusers counts them; A1111 counts one more and says nothing of 1
public record GenerationParameters(String prompt, String negativePrompt, int steps, String sampler, double guidance, long seed, int width, int height, String model, int clipSkip) {
    /// The keyword that A1111 and its readers look for.
    public static final String KEYWORD = "parameters";

    /// The prompt, the negative prompt if there is one, and the settings in one line.
    public String text() {
        String negative = negativePrompt.isEmpty() ? "" : "\nNegative prompt: " + negativePrompt;
        return prompt + negative + "\nSteps: " + steps + ", Sampler: " + sampler + ", CFG scale: " + number(guidance) + ", Seed: " + seed
                + ", Size: " + width + "x" + height + ", Model: " + quoted(model) + (clipSkip > 0 ? ", Clip skip: " + (clipSkip + 1) : "");
    }

    /// As {@link PngFile#write} takes it.
    public Map<String, String> texts() {
        return Map.of(KEYWORD, text());
    }

    private static String number(double x) {
        return x == Math.rint(x) && Math.abs(x) < 1e15 ? String.format(Locale.ROOT, "%.0f", x) : Double.toString(x);
    }

    /// A value that contains a separator is written as a JSON string.
    private static String quoted(String value) {
        boolean plain = value.chars().noneMatch(c -> c == ',' || c == ':' || c == '\n' || c == '"' || c == '\\');
        return plain ? value : '"' + value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }
}
