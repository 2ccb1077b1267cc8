/// CLIP's image tower, and the similarity of images and prompts as a reward.
package dev.retrograd.rewards.clip;
