package dev.retrograd.trainer.pretrain;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// What a picture of the miniature world shows; two are equal when they show the same.
///
/// @param first the object that the caption names first
/// @param second an object opposite of the first
record Scene(SceneObject first, Optional<SceneObject> second, Backdrop backdrop) {

    /// @throws IllegalArgumentException if the second object is not opposite of the first
    public Scene {
        second.ifPresent(other -> {
            if (first.place() == Place.CENTER || other.place() != first.place().opposite()) {
                throw new IllegalArgumentException("scene: a second object must lie opposite of the first at " + first.place() + ", got " + other.place());
            }
        });
    }

    /// In the order of the caption.
    public List<SceneObject> objects() {
        return Stream.concat(Stream.of(first), second.stream()).toList();
    }

    /// Left before right, top before bottom: the same for both captions of one picture.
    public List<SceneObject> inReadingOrder() {
        boolean swapped = second.isPresent() && (first.place() == Place.RIGHT || first.place() == Place.BOTTOM);
        return swapped ? objects().reversed() : objects();
    }

    /// Whether the first object joins a shape and a colour that training never shows together.
    public boolean heldOut() {
        return World.heldOut(first.figure(), first.paint());
    }

    /// The caption that names everything: `a small striped red circle left of a large blue square on a white background`.
    public String caption() {
        return Caption.FULL.of(this);
    }
}
