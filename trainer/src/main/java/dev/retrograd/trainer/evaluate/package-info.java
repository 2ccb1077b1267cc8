/// Comparing models on the same prompts and noise.
package dev.retrograd.trainer.evaluate;
