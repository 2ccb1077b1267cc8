/// Fitting a differentiable reward to scores of images that are given or computed by a black box.
package dev.retrograd.trainer.fit;
