package dev.retrograd.core;

/// How an image is resampled.
///
/// @param filter interpolation
/// @param antialias whether shrinking widens the filter by the factor (torchvision's `antialias=True`, PIL); without it, only the nearest 2 or 4 pixels count
public record Resampling(Filter filter, boolean antialias) {
    public enum Filter {
        BILINEAR,
        /// Cubic convolution: a = −0.75 without antialias, −0.5 with, as torch has it
        BICUBIC
    }
}
