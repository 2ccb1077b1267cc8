package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Prompt lists for the miniature model: full captions of drawn scenes, always the same ones.
public final class WorldPrompts {
    private static final long SEED = 0x776F726C64L;
    private static final int TRAINING = 45;
    private static final int HELD_OUT = 12;
    private static final int CHECK = 256;

    private WorldPrompts() {
    }

    /// Captions of combinations that the model was trained on; as many as the animals.
    public static List<String> training() {
        return captions(World.Part.TRAINING, TRAINING, 0);
    }

    /// Captions whose first object no training picture or caption ever showed.
    public static List<String> heldOut() {
        return captions(World.Part.HELD_OUT, HELD_OUT, 0);
    }

    /// Enough other captions of that kind to tell accuracies within a few percent.
    public static List<String> check() {
        return captions(World.Part.HELD_OUT, CHECK, HELD_OUT);
    }

    /// `a red triangle` and the like: three colours of each shape, none of them held out. Size, place, texture and background are left open, as they are by a
    /// prompt of one noun, so that the images of a prompt differ.
    public static List<String> shapes() {
        return shapes(1, 3, 6);
    }

    /// Three other colours of each shape, the first of them held out.
    public static List<String> otherShapes() {
        return shapes(0, 2, 5);
    }

    private static List<String> shapes(int... after) {
        List<String> captions = new ArrayList<>();
        for (int colour : after) {
            for (Figure figure : Figure.values()) {
                Paint paint = Paint.values()[(World.heldOutPaint(figure).ordinal() + colour) % Paint.values().length];
                captions.add("a " + Caption.word(paint) + " " + Caption.word(figure));
            }
        }
        return List.copyOf(captions);
    }

    /// @param after so many captions that other lists have
    private static List<String> captions(World.Part part, int count, int after) {
        RandomStream random = RandomStream.keyed(SEED, part.ordinal());
        Set<String> captions = new LinkedHashSet<>();
        while (captions.size() < after + count) {
            captions.add(Caption.FULL.of(World.draw(random, part)));
        }
        return captions.stream().skip(after).toList();
    }
}
