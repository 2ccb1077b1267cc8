package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;

/// Trains and measures for an experiment, with the settings that its user gave.
public interface Lab {
    boolean quick();

    long seed();

    /// Denoising steps of a chain.
    int steps() throws IOException;

    /// What is raised, as measures call it.
    String reward();

    /// A second thing to raise, where two are mixed.
    String secondReward();

    /// Whether images are the miniature's, of which its judge knows.
    boolean embedded();

    /// A finished run of these settings: one that was trained before, one that was begun before and goes on, or a new one.
    ///
    /// @param name what results call the model
    /// @param settings of `train`, as `method=ddpo`, that make the run what it is
    Trained trained(String name, List<String> settings) throws IOException;

    /// How much is measured.
    ///
    /// @param imagesPerPrompt each from a noise of its own, the same for every model
    /// @param quickPrompts of each list, with `--quick`
    /// @param maxPrompts of each list otherwise
    /// @param track measures beside the reward
    /// @param keepAll whether all images are kept, or the first of each of the first prompts
    record Extent(int imagesPerPrompt, int quickPrompts, int maxPrompts, List<String> track, boolean keepAll) {
        private static final int ALL = 1 << 20;

        /// All prompts, and of each so many images.
        static Extent all(int imagesPerPrompt, List<String> track) {
            return new Extent(imagesPerPrompt, 8, ALL, track, false);
        }
    }

    /// The prompts of a set that are measured, in order.
    List<String> prompts(String set, Extent extent) throws IOException;

    /// Folder of the results.
    Path folder();

    /// Measures models on the same prompts and noise.
    ///
    /// @param models by the names that results call them; the first is what the others are compared with
    Comparison measure(SequencedMap<String, Dress> models, Extent extent) throws IOException;
}
