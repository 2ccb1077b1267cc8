/// What a run shows of itself: a page, TensorBoard's event files, a model card, tables.
package dev.retrograd.trainer.report;
