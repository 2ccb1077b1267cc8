package dev.retrograd.trainer.pretrain;

/// The surface of an object of the miniature world; captions name all but `PLAIN`, in lower case.
enum Texture {
    PLAIN {
        @Override boolean dark(double x, double y) {
            return false;
        }
    },
    STRIPED {
        @Override boolean dark(double x, double y) {
            return cell(y + 2.5, 10) < 5;
        }
    },
    DOTTED {
        @Override boolean dark(double x, double y) {
            return Math.hypot(cell(x + 5, 10) - 5, cell(y + 5, 10) - 5) <= 3.1;
        }
    },
    CHECKERED {
        @Override boolean dark(double x, double y) {
            return cell(x, 14) < 7 == cell(y, 14) < 7;
        }
    };

    /// What the colour is multiplied with where the pattern is dark.
    static final float DARKENING = 0.3f;

    /// @param x pixels from the object's centre to the right
    /// @param y pixels from the object's centre down
    abstract boolean dark(double x, double y);

    private static double cell(double x, double period) {
        return x - period * Math.floor(x / period);
    }
}
