package dev.retrograd.trainer.pretrain;

/// The colour of a background of the miniature world; its constants' names in lower case are the words of captions.
enum Shade {
    WHITE(245, 245, 245), BLACK(20, 20, 20), GRAY(125, 125, 125), BROWN(115, 75, 45);

    private final float[] rgb;

    Shade(int... bytes) {
        rgb = unit(bytes);
    }

    /// A channel in [0,1], 0 red to 2 blue.
    float channel(int c) {
        return rgb[c];
    }

    static float[] unit(int... bytes) {
        float[] unit = new float[bytes.length];
        for (int c = 0; c < unit.length; c++) {
            unit[c] = bytes[c] / 255f;
        }
        return unit;
    }
}
