package dev.retrograd.trainer.pretrain;

/// The colour of an object of the miniature world; its constants' names in lower case are the words of captions.
enum Paint {
    RED(228, 26, 28), GREEN(30, 160, 50), BLUE(35, 70, 230), YELLOW(250, 215, 20), ORANGE(250, 125, 10), PURPLE(135, 40, 175), CYAN(40, 210, 220), PINK(250, 130, 190);

    private final float[] rgb;

    Paint(int... bytes) {
        rgb = Shade.unit(bytes);
    }

    /// A channel in [0,1], 0 red to 2 blue.
    float channel(int c) {
        return rgb[c];
    }
}
