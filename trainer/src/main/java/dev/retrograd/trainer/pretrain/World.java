package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;
import java.util.Optional;

/// The miniature world: scenes of one or two objects on a background. Everything is a pure function of random streams.
public final class World {
    /// Rows and columns of its pictures.
    public static final int SIZE = 64;
    private static final double PLAIN = 0.55;
    private static final double TWO_OBJECTS = 0.3;
    private static final double GRADIENT = 0.3;

    /// Which combinations of shape and colour the first object of a scene may show.
    public enum Part {
        /// Those that models learn from; the second object's as well.
        TRAINING,
        /// Those that no training picture and no training caption shows.
        HELD_OUT
    }

    private World() {
    }

    /// Whether training never shows this shape in this colour: one colour of each shape.
    public static boolean heldOut(Figure figure, Paint paint) {
        return heldOutPaint(figure) == paint;
    }

    /// The one colour in which training never shows this shape.
    static Paint heldOutPaint(Figure figure) {
        return Paint.values()[(3 * figure.ordinal() + 1) % Paint.values().length];
    }

    /// A scene, with two objects in 3 of 10 cases.
    public static Scene draw(RandomStream random, Part part) {
        boolean two = random.nextDouble() < TWO_OBJECTS;
        Place place = Place.values()[(int) random.randint(two ? 1 : 0, Place.values().length)];
        SceneObject first = object(random, part, place);
        Optional<SceneObject> second = two ? Optional.of(object(random, Part.TRAINING, place.opposite())) : Optional.empty();
        return new Scene(first, second, new Backdrop(any(random, Shade.values()), random.nextDouble() < GRADIENT));
    }

    private static SceneObject object(RandomStream random, Part part, Place place) {
        Figure figure = any(random, Figure.values());
        Paint paint = any(random, Paint.values());
        while (heldOut(figure, paint) != (part == Part.HELD_OUT)) {
            paint = any(random, Paint.values());
        }
        Extent extent = any(random, Extent.values());
        Texture texture = random.nextDouble() < PLAIN ? Texture.PLAIN : Texture.values()[(int) random.randint(1, Texture.values().length)];
        return new SceneObject(figure, paint, extent, texture, place);
    }

    private static <E> E any(RandomStream random, E[] values) {
        return values[(int) random.randint(0, values.length)];
    }
}
