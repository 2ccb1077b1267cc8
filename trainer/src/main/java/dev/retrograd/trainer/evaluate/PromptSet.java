package dev.retrograd.trainer.evaluate;

import java.util.List;
import java.util.stream.IntStream;

/// Prompts that are averaged over together.
///
/// @param name such as `train` or `unseen`
/// @param prompts at least one
public record PromptSet(String name, List<String> prompts) {

    /// @throws IllegalArgumentException if there is no prompt
    public PromptSet {
        prompts = List.copyOf(prompts);
        if (prompts.isEmpty()) {
            throw new IllegalArgumentException("prompts: at least one is required, got none for " + name);
        }
    }

    /// At most so many of them, spread over the list.
    public PromptSet atMost(int count) {
        int most = Math.min(count, prompts.size());
        return new PromptSet(name, IntStream.range(0, most).mapToObj(i -> prompts.get((int) ((long) i * prompts.size() / most))).toList());
    }
}
