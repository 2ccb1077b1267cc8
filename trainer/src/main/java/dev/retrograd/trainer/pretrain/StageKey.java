package dev.retrograd.trainer.pretrain;

/// Keys of the random streams of pretraining: no two uses share a stream.
enum StageKey {
    VAE, CLIP, JUDGE, UNET, SAMPLES, LATENTS, CHECK, DECODER
}
