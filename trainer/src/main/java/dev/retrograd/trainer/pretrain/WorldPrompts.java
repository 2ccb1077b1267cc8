package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Prompt lists for the miniature model: full captions of drawn scenes, always the same ones.
public final class WorldPrompts {
    private static final long SEED = 0x776F726C64L;
    private static final int TRAINING = 45;
    private static final int HELD_OUT = 12;

    private WorldPrompts() {
    }

    /// Captions of combinations that the model was trained on; as many as the animals.
    public static List<String> training() {
        return captions(World.Part.TRAINING, TRAINING);
    }

    /// Captions whose first object no training picture or caption ever showed.
    public static List<String> heldOut() {
        return captions(World.Part.HELD_OUT, HELD_OUT);
    }

    private static List<String> captions(World.Part part, int count) {
        RandomStream random = RandomStream.keyed(SEED, part.ordinal());
        Set<String> captions = new LinkedHashSet<>();
        while (captions.size() < count) {
            captions.add(Caption.FULL.of(World.draw(random, part)));
        }
        return List.copyOf(captions);
    }
}
