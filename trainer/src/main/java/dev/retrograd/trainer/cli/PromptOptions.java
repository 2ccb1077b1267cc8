package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.prompts.BuiltInPrompts;
import dev.retrograd.trainer.prompts.PromptSource;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import picocli.CommandLine.Option;

/// What the images are of.
final class PromptOptions {
    private static final String USUAL = BuiltInPrompts.ANIMALS.id();

    @Option(names = "--prompts", paramLabel = "LIST", description = "animals, books (animals and books, for concept removal), hps, world (captions of the model inside the jar), shapes (a colour and a shape alone), their unseen animals-eval, books-eval, hps-eval, world-eval, shapes-eval, world-check (256 more captions of combinations that the model never saw), or a file: one prompt per line, .jsonl (texts or objects with prompt or text), .json (a list of these, as HPSv2's own), or a folder of such files; default: animals.")
    private String prompts;

    @Option(names = "--prompt", paramLabel = "TEXT", split = Settings.SEPARATOR, hideParamSyntax = true, description = "A single prompt; may be repeated; instead of --prompts.")
    private List<String> prompt;

    @Option(names = "--prompt-template", paramLabel = "TEXT", description = "Put around every prompt, e.g. 'a photo of a {}'; default: the prompt alone.")
    private String template;

    /// @throws IOException if a file is missing, empty or not UTF-8
    PromptSource source() throws IOException {
        if (prompt != null && prompts != null) {
            throw new SettingException("--prompt and --prompts: only one of them may be given");
        }
        SettingException.require(!"".equals(prompts), "--prompts", "the name of a list or file", "nothing");
        return templated(prompt != null ? new PromptSource("--prompt", prompt) : PromptSource.of(Objects.requireNonNullElse(prompts, USUAL)));
    }

    /// Prompts that are not in {@link #source()}, where the list has such: the evaluation list of a built-in one.
    ///
    /// @param given a list or file that is to be held out instead; null for none
    /// @throws IOException as {@link #source()}, of that file
    List<String> heldOut(String given) throws IOException {
        if (given != null) {
            SettingException.require(!given.isEmpty(), "--eval-prompts", "the name of a list or file", "nothing");
            return templated(PromptSource.of(given)).prompts();
        }
        String name = Objects.requireNonNullElse(prompts, prompt == null ? USUAL : "");
        return BuiltInPrompts.named(name).map(BuiltInPrompts::evaluation).filter(e -> !e.id().equals(name))
                .map(e -> templated(PromptSource.of(e)).prompts()).orElse(List.of());
    }

    private PromptSource templated(PromptSource source) {
        return template == null ? source : SettingException.named("--prompt-template", () -> source.with(template));
    }
}
