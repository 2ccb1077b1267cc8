package dev.retrograd.unet.text;

/// A prompt as the text encoder takes it.
///
/// @param ids start, text, end, padding: always the model's length; longer text is cut so that the last id is the end token. The
///     caller's own array
/// @param untruncatedLength tokens of the whole text with start and end
public record Encoding(int[] ids, int untruncatedLength) {

    /// Whether a part of the text did not fit.
    public boolean truncated() {
        return untruncatedLength > ids.length;
    }
}
