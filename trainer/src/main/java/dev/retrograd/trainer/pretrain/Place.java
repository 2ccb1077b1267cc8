package dev.retrograd.trainer.pretrain;

/// Where an object of the miniature world lies; its constants' names in lower case are the words of captions.
enum Place {
    CENTER(32, 32), LEFT(16, 32), RIGHT(48, 32), TOP(32, 16), BOTTOM(32, 48);

    private final double x;
    private final double y;

    Place(double x, double y) {
        this.x = x;
        this.y = y;
    }

    /// Mean column of the centre, in pixels.
    double x() {
        return x;
    }

    /// Mean row of the centre, in pixels.
    double y() {
        return y;
    }

    /// The place across the picture, where a second object lies.
    Place opposite() {
        return switch (this) {
            case CENTER -> CENTER;
            case LEFT -> RIGHT;
            case RIGHT -> LEFT;
            case TOP -> BOTTOM;
            case BOTTOM -> TOP;
        };
    }

    /// How a caption says that the first object lies here and the second one opposite.
    String relation() {
        return switch (this) {
            case CENTER -> throw new IllegalArgumentException("place: two objects must lie apart, got the first at the center");
            case LEFT -> "left of";
            case RIGHT -> "right of";
            case TOP -> "above";
            case BOTTOM -> "below";
        };
    }
}
