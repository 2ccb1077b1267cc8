package dev.retrograd.trainer.pretrain;

/// The place of the largest value.
final class Argmax {
    private Argmax() {
    }

    /// The first place of the largest value of each row of a matrix `[rows,columns]`.
    static int[] rows(float[] matrix, int columns) {
        int[] best = new int[matrix.length / columns];
        for (int i = 0; i < best.length; i++) {
            for (int j = 1; j < columns; j++) {
                if (matrix[i * columns + j] > matrix[i * columns + best[i]]) {
                    best[i] = j;
                }
            }
        }
        return best;
    }
}
