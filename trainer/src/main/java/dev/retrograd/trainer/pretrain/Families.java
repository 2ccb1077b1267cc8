package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Batches in which colours and backgrounds tell little: families of four scenes that differ in the first object's shape, in its place, in both.
///
/// Among unrelated scenes a contrastive loss is nearly zero once colours, sizes and backgrounds are known, and shapes and places are never learned.
final class Families {
    private static final int MEMBERS = 4;

    private Families() {
    }

    /// The training examples of a step; captions always say the place.
    ///
    /// @param count a multiple of 4, or the last family is cut off
    static Examples draw(Recipe recipe, StageKey stage, int step, int count) {
        List<Scene> scenes = new ArrayList<>();
        List<String> captions = new ArrayList<>();
        List<float[]> pictures = new ArrayList<>();
        for (int i = 0; i < count; i += MEMBERS) {
            RandomStream random = RandomStream.keyed(recipe.seed(), stage.code(), step, i);
            for (Scene scene : family(random).subList(0, Math.min(MEMBERS, count - i))) {
                Caption drawn = Caption.draw(random);
                scenes.add(scene);
                captions.add(new Caption(drawn.form(), drawn.extent(), true, drawn.backdrop()).of(scene));
                pictures.add(Painter.draw(scene, random));
            }
        }
        return new Examples(scenes, captions, pictures);
    }

    /// A scene, then the same with another shape, with another place, with both.
    static List<Scene> family(RandomStream random) {
        Scene scene = World.draw(random, World.Part.TRAINING);
        SceneObject first = scene.first();
        Figure figure = first.figure();
        while (figure == first.figure() || World.heldOut(figure, first.paint())) {
            figure = Figure.values()[(int) random.randint(0, Figure.values().length)];
        }
        Place place = first.place();
        while (place == first.place() || scene.second().isPresent() && place == Place.CENTER) {
            place = Place.values()[(int) random.randint(0, Place.values().length)];
        }
        return List.of(scene, changed(scene, figure, first.place()), changed(scene, first.figure(), place), changed(scene, figure, place));
    }

    private static Scene changed(Scene scene, Figure figure, Place place) {
        SceneObject o = scene.first();
        Optional<SceneObject> second = scene.second().map(s -> new SceneObject(s.figure(), s.paint(), s.extent(), s.texture(), place.opposite()));
        return new Scene(new SceneObject(figure, o.paint(), o.extent(), o.texture(), place), second, scene.backdrop());
    }
}
