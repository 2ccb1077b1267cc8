package dev.retrograd.unet.text;

/// What differs between users of one vocabulary.
///
/// @param cleaning how text is cleaned first
/// @param padId the id that fills an encoding up to its length: the end token for Stable Diffusion, 0 for openai/CLIP and open_clip
/// @param maxLength tokens of an encoding, start and end included; 2 or more
public record TokenizerOptions(TextCleaning cleaning, int padId, int maxLength) {

    /// @throws IllegalArgumentException if `padId` is negative or `maxLength` has no room for start and end
    public TokenizerOptions {
        if (padId < 0) {
            throw new IllegalArgumentException("tokenizer: padId must be 0 or more, got " + padId);
        }
        if (maxLength < 2) {
            throw new IllegalArgumentException("tokenizer: maxLength must be 2 or more, got " + maxLength);
        }
    }
}
