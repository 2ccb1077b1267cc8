package dev.retrograd.trainer.pretrain;

/// The outline of an object of the miniature world; its constants' names in lower case are the words of captions.
///
/// Coordinates are relative to the object's centre in units of its radius, x to the right and y down.
enum Figure {
    CIRCLE {
        @Override boolean contains(double x, double y) {
            return x * x + y * y <= 1;
        }
    },
    SQUARE {
        @Override boolean contains(double x, double y) {
            return Math.max(Math.abs(x), Math.abs(y)) <= 0.85;
        }
    },
    TRIANGLE {
        @Override boolean contains(double x, double y) {
            return y >= -1 && y <= 0.8 && Math.abs(x) <= (y + 1) / 1.8;
        }
    },
    STAR {
        /// Folded into one tenth of the star, from a tip to the notch beside it: inside is below the straight line between them.
        @Override boolean contains(double x, double y) {
            double sector = 2 * Math.PI / 5;
            double angle = Math.atan2(x, -y);
            double folded = Math.abs(angle - sector * Math.rint(angle / sector));
            double r = Math.hypot(x, y);
            double notchX = NOTCH * Math.cos(sector / 2);
            double notchY = NOTCH * Math.sin(sector / 2);
            return (r * Math.cos(folded) - 1) * notchY - r * Math.sin(folded) * (notchX - 1) <= 0;
        }
    },
    RING {
        @Override boolean contains(double x, double y) {
            double square = x * x + y * y;
            return square <= 1 && square >= 0.3;
        }
    },
    CROSS {
        @Override boolean contains(double x, double y) {
            return Math.min(Math.abs(x), Math.abs(y)) <= 0.32 && Math.max(Math.abs(x), Math.abs(y)) <= 0.95;
        }
    },
    HEART {
        /// The sextic curve (x² + y² − 1)³ = x²·y³, scaled to the radius.
        @Override boolean contains(double x, double y) {
            double u = 1.2 * x;
            double v = 0.1 - 1.2 * y;
            double circle = u * u + v * v - 1;
            return circle * circle * circle <= u * u * v * v * v;
        }
    },
    DIAMOND {
        @Override boolean contains(double x, double y) {
            return Math.abs(x) / 0.75 + Math.abs(y) <= 1;
        }
    };

    /// Distance of a star's notches from its centre.
    private static final double NOTCH = 0.42;

    abstract boolean contains(double x, double y);
}
