package dev.retrograd.trainer.method;

import java.util.SequencedMap;

/// What one update is remembered by.
///
/// @param k denoising steps whose predicted noise was differentiated, per image
/// @param rewards of the update's images
/// @param loss mean over the images
/// @param details further numbers of the method's own, by the name that metrics give them
public record Outcome(int k, float[] rewards, double loss, SequencedMap<String, Double> details) {
}
