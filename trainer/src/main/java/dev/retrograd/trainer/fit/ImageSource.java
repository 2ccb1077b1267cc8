package dev.retrograd.trainer.fit;

import dev.retrograd.rewards.PixelBatch;
import java.io.IOException;
import java.util.List;

/// Images that a reward is to be fitted on; the same ones on every run through.
public interface ImageSource {

    /// How many there are.
    int size();

    /// Hands over every image, in order, in batches of one size each.
    ///
    /// @throws IOException if one cannot be read
    void forEach(Receiver receiver) throws IOException;

    /// Takes images.
    @FunctionalInterface interface Receiver {

        /// @param prompts one for each image; empty texts where images have none
        void accept(PixelBatch images, List<String> prompts) throws IOException;
    }
}
