package dev.retrograd.trainer.pretrain;

/// The background of a scene.
///
/// @param gradient whether the shade turns to gray from top to bottom: a bright one to a darker gray, a dark one to a lighter
record Backdrop(Shade shade, boolean gradient) {
    private static final float BRIGHT = 0.6f;
    private static final float DARKER = 0.4f;
    private static final float LIGHTER_BY = 0.5f;

    /// The colour of a pixel, in [0,1].
    ///
    /// @param c channel, 0 red to 2 blue
    /// @param down share of the picture's height above the pixel, 0..1
    float channel(int c, float down) {
        float blend = gradient ? down : 0;
        return (1 - blend) * shade.channel(c) + blend * gray();
    }

    private float gray() {
        float brightness = (shade.channel(0) + shade.channel(1) + shade.channel(2)) / 3;
        return brightness > BRIGHT ? DARKER : brightness + LIGHTER_BY;
    }
}
