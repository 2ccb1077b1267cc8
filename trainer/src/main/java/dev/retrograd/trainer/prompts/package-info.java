/// Prompt lists and the draw of a prompt for each image.
package dev.retrograd.trainer.prompts;
