/// Builds the miniature model: a small world of captioned pictures, and the stages that train autoencoder, CLIP, judge and UNet on it.
package dev.retrograd.trainer.pretrain;
