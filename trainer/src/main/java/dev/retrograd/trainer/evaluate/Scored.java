package dev.retrograd.trainer.evaluate;

import dev.retrograd.trainer.image.RgbImage;
import java.util.List;
import java.util.SequencedMap;

/// What one model scored on one set of prompts.
///
/// @param model its name
/// @param prompts the set's name
/// @param scores of each measure by name: of each image, prompt after prompt; of {@link Evaluator#DIVERSITY}, of each prompt
/// @param shown the images that {@link Evaluator.Settings} asks to keep: usually the first of each of the first prompts
public record Scored(String model, String prompts, SequencedMap<String, float[]> scores, List<RgbImage> shown) {
}
