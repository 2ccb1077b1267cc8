/// OWL-ViT, which finds what a text names in an image, and rewards that read it.
package dev.retrograd.rewards.owlvit;
