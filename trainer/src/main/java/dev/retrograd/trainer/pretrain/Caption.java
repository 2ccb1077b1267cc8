package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/// A way of saying what a scene shows. A texture is always said, and so is how two objects lie.
///
/// @param extent whether sizes are said
/// @param place whether the place of a single object is said
/// @param backdrop whether the background is said
public record Caption(Form form, boolean extent, boolean place, boolean backdrop) {
    /// Says everything.
    public static final Caption FULL = new Caption(Form.SENTENCE, true, true, true);
    private static final double SAID = 0.8;

    /// How the parts are joined.
    public enum Form {
        /// `a red circle at the left on a white background`
        SENTENCE,
        /// `a picture of a red circle at the left on a white background`
        PICTURE,
        /// `red circle, left, white background`
        LIST
    }

    /// A caption of any form, which leaves out each part that may be left out with probability 1/5.
    public static Caption draw(RandomStream random) {
        Form form = Form.values()[(int) random.randint(0, Form.values().length)];
        return new Caption(form, random.nextDouble() < SAID, random.nextDouble() < SAID, random.nextDouble() < SAID);
    }

    /// The words of a scene.
    public String of(Scene scene) {
        List<String> parts = new ArrayList<>();
        String objects = noun(scene.first());
        if (scene.second().isPresent()) {
            objects += " " + scene.first().place().relation() + " " + noun(scene.second().get());
        }
        parts.add(form == Form.PICTURE ? "a picture of " + objects : objects);
        if (place && scene.second().isEmpty()) {
            parts.add(where(scene.first().place()));
        }
        if (backdrop) {
            parts.add((form == Form.LIST ? "" : "on a ") + word(scene.backdrop().shade()) + (scene.backdrop().gradient() ? " gradient" : "") + " background");
        }
        return String.join(form == Form.LIST ? ", " : " ", parts);
    }

    private String noun(SceneObject o) {
        Stream<String> said = Stream.of(form == Form.LIST ? "" : "a", extent ? word(o.extent()) : "", o.texture() == Texture.PLAIN ? "" : word(o.texture()), word(o.paint()), word(o.figure()));
        return String.join(" ", said.filter(w -> !w.isEmpty()).toList());
    }

    private String where(Place place) {
        return form == Form.LIST ? word(place) : (place == Place.CENTER ? "in the " : "at the ") + word(place);
    }

    /// The word of a constant.
    static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /// Every word that captions are made of, punctuation included, in alphabetical order.
    public static List<String> vocabulary() {
        Stream<String> constants = Stream.<Enum<?>[]>of(Figure.values(), Paint.values(), Shade.values(), Texture.values(), Extent.values(), Place.values())
                .flatMap(Stream::of).map(Caption::word);
        Stream<String> others = Stream.of("a", "an", "and", "picture", "of", "on", "in", "at", "the", "background", "gradient", "above", "below", ",", ".");
        return Stream.concat(constants, others).distinct().sorted().toList();
    }
}
