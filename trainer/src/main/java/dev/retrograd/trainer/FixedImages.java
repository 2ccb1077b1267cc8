package dev.retrograd.trainer;

import java.util.List;

/// Images that stay the same over a run, where noise is trained and not weights.
///
/// @param prompts of each
/// @param noise that each begins with
record FixedImages(List<String> prompts, ChainNoise noise) {
}
