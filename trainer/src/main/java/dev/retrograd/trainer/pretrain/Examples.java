package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import java.util.ArrayList;
import java.util.List;

/// A batch of scenes, each with a caption and a picture.
///
/// @param pictures `[64,64,3]` each, in [-1,1]
record Examples(List<Scene> scenes, List<String> captions, List<float[]> pictures) {

    /// The training examples of a step: scene, caption and picture of each are a function of the recipe's seed, the stage, the step and its place.
    static Examples draw(Recipe recipe, StageKey stage, int step, int count) {
        return draw(recipe, stage, step, count, World.Part.TRAINING);
    }

    static Examples draw(Recipe recipe, StageKey stage, int step, int count, World.Part part) {
        List<Scene> scenes = new ArrayList<>();
        List<String> captions = new ArrayList<>();
        List<float[]> pictures = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            RandomStream random = RandomStream.keyed(recipe.seed(), stage.code(), step, i);
            Scene scene = World.draw(random, part);
            scenes.add(scene);
            captions.add(Caption.draw(random).of(scene));
            pictures.add(Painter.draw(scene, random));
        }
        return new Examples(scenes, captions, pictures);
    }

    /// The pictures as a tensor, `[B,64,64,3]`.
    Tensor images(Backend backend) {
        return backend.floats("images", Shape.of(pictures.size(), World.SIZE, World.SIZE, 3), Pictures.joined(pictures));
    }
}
