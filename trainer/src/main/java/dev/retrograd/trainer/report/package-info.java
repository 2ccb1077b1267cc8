/// What a run shows of itself: a page, TensorBoard's event files, a model card.
package dev.retrograd.trainer.report;
