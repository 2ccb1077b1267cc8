package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Captions with two pictures each, of which one is to be preferred.
///
/// In half of the pairs, only the better picture shows what the caption says: the other one has another shape or colour in place of the first object's. In the rest
/// both show it, and {@link PictureRating} ranks them: they differ in what the caption leaves open, sizes, background and the place of a single object.
///
/// @param better `[64,64,3]` each, in [-1,1]; likewise the worse
/// @param matches whether the caption tells them apart, rather than the rating
record Pairs(List<String> captions, List<float[]> better, List<float[]> worse, List<Boolean> matches) {
    private static final double TOLD_APART = 0.5;

    /// The pairs of a step: each is a function of the recipe's seed, the step and its place.
    static Pairs draw(Recipe recipe, int step, int count, World.Part part) {
        Pairs pairs = new Pairs(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        for (int i = 0; i < count; i++) {
            pairs.add(RandomStream.keyed(recipe.seed(), StageKey.PREFERENCE.code(), step, i), part);
        }
        return pairs;
    }

    private void add(RandomStream random, World.Part part) {
        Scene scene = World.draw(random, part);
        Caption caption = Caption.draw(random);
        boolean match = random.nextDouble() < TOLD_APART;
        if (match) {
            captions.add(caption.of(scene));
            better.add(Painter.draw(scene, random));
            worse.add(Painter.draw(mistaken(scene, random, part), random));
        } else {
            captions.add(new Caption(caption.form(), false, false, false).of(scene));
            float[] one = Painter.draw(scene, random);
            float[] other = Painter.draw(varied(scene, random), random);
            float[] ratings = new PictureRating().score(AestheticStage.pixels(List.of(one, other)), List.of("", ""));
            better.add(ratings[0] >= ratings[1] ? one : other);
            worse.add(ratings[0] >= ratings[1] ? other : one);
        }
        matches.add(match);
    }

    /// Another shape or another colour in place of the first object's, and otherwise as it is or varied.
    private static Scene mistaken(Scene scene, RandomStream random, World.Part part) {
        SceneObject o = scene.first();
        boolean shape = random.nextDouble() < 0.5;
        Figure figure = o.figure();
        Paint paint = o.paint();
        while (figure == o.figure() && paint == o.paint() || part == World.Part.TRAINING && World.heldOut(figure, paint)) {
            if (shape) {
                figure = any(random, Figure.values());
            } else {
                paint = any(random, Paint.values());
            }
        }
        Scene wrong = new Scene(new SceneObject(figure, paint, o.extent(), o.texture(), o.place()), scene.second(), scene.backdrop());
        return random.nextDouble() < 0.5 ? wrong : varied(wrong, random);
    }

    /// The same objects, with what short captions leave open drawn anew.
    private static Scene varied(Scene scene, RandomStream random) {
        Place place = scene.second().isPresent() ? scene.first().place() : any(random, Place.values());
        Optional<SceneObject> second = scene.second().map(o -> varied(o, o.place(), random));
        return new Scene(varied(scene.first(), place, random), second, new Backdrop(any(random, Shade.values()), random.nextDouble() < 0.5));
    }

    private static SceneObject varied(SceneObject o, Place place, RandomStream random) {
        return new SceneObject(o.figure(), o.paint(), any(random, Extent.values()), o.texture(), place);
    }

    private static <E> E any(RandomStream random, E[] values) {
        return values[(int) random.randint(0, values.length)];
    }

    /// Better and worse in turn.
    List<float[]> inTurn() {
        List<float[]> all = new ArrayList<>();
        for (int i = 0; i < better.size(); i++) {
            all.add(better.get(i));
            all.add(worse.get(i));
        }
        return all;
    }
}
