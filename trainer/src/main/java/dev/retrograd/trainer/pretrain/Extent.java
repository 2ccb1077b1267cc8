package dev.retrograd.trainer.pretrain;

/// The size of an object of the miniature world; its constants' names in lower case are the words of captions.
enum Extent {
    SMALL(11), LARGE(15);

    private final double radius;

    Extent(double radius) {
        this.radius = radius;
    }

    /// Mean radius in pixels.
    double radius() {
        return radius;
    }
}
