/// Training methods: from images and scores to gradients of the LoRA weights.
package dev.retrograd.trainer.method;
