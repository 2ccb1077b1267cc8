package dev.retrograd.trainer.pretrain;

/// Keys of the random streams of pretraining: no two uses share a stream.
///
/// The numbers decide what a seed gives; they stay as they are.
enum StageKey {
    VAE(0), CLIP(1), JUDGE(2), UNET(3), SAMPLES(4), LATENTS(5), CHECK(6), DECODER(7), AESTHETIC(16), PREFERENCE(17);

    private static final int NOISE = 8;

    private final int code;

    StageKey(int code) {
        this.code = code;
    }

    /// The key of its scenes and pictures.
    int code() {
        return code;
    }

    /// The key of its noise.
    int noise() {
        return NOISE + code;
    }
}
