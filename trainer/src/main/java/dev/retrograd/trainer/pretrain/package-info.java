/// Builds the miniature model: a small world of captioned pictures, and the stages that train autoencoder, CLIP, judge, UNet and learned rewards on it.
package dev.retrograd.trainer.pretrain;
