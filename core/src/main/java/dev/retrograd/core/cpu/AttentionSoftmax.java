package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// What happens to a tile of scores, `[rows][COLUMNS]`, between the matrix products of attention.
///
/// In the forward pass and in the pass for dq, columns are queries and rows are keys; in the pass for dk and dv it is the other way round.
/// Scores come in an array; what the next product reads goes to native memory.
final class AttentionSoftmax {
    private static final FloatVector INDEX = FloatVector.zero(FLOATS).addIndex(1);

    private AttentionSoftmax() {
    }

    /// One step of the online softmax: `weights = exp(scores − max)` with the running maximum of each column, whose running sum is brought
    /// up to date.
    ///
    /// @param max running maxima from `at` on, before and after
    /// @param sum running sums of exponentials from `at` on
    /// @param factors set to what earlier results have to be multiplied with
    static void update(float[] scores, int rows, float[] max, float[] sum, int at, float[] factors, long weights) {
        for (int column = 0; column < COLUMNS; column += LANES) {
            raise(scores, column, rows, max, at + column, factors);
            exponentials(scores, column, rows, max, sum, at + column, factors, weights + column * 4L);
        }
    }

    /// Brings a vector of maxima up to date; in four chains, since comparing and choosing takes a while.
    private static void raise(float[] scores, int column, int rows, float[] max, int at, float[] factors) {
        FloatVector before = FloatVector.fromArray(FLOATS, max, at);
        FloatVector m0 = before;
        FloatVector m1 = before;
        FloatVector m2 = before;
        FloatVector m3 = before;
        int i = column;
        for (; i < (rows - 3) * COLUMNS; i += 4 * COLUMNS) {
            m0 = larger(FloatVector.fromArray(FLOATS, scores, i), m0);
            m1 = larger(FloatVector.fromArray(FLOATS, scores, i + COLUMNS), m1);
            m2 = larger(FloatVector.fromArray(FLOATS, scores, i + 2 * COLUMNS), m2);
            m3 = larger(FloatVector.fromArray(FLOATS, scores, i + 3 * COLUMNS), m3);
        }
        for (; i < rows * COLUMNS; i += COLUMNS) {
            m0 = larger(FloatVector.fromArray(FLOATS, scores, i), m0);
        }
        FloatVector after = m0.max(m1).max(m2.max(m3));
        after.intoArray(max, at);
        VectorMath.exp(before.sub(after)).intoArray(factors, column);
    }

    /// The larger one, in half the instructions of `max`, which orders NaN and −0; a NaN that is passed over here shows in its exponential.
    /// Asked of the fresh vector, since the compiler knows the class of that, but not of one that a loop carries.
    private static FloatVector larger(FloatVector fresh, FloatVector carried) {
        return fresh.blend(carried, fresh.compare(VectorOperators.LT, carried));
    }

    private static void exponentials(float[] scores, int column, int rows, float[] max, float[] sum, int at, float[] factors, long weights) {
        FloatVector m = FloatVector.fromArray(FLOATS, max, at);
        FloatVector total = FloatVector.zero(FLOATS);
        for (int r = 0; r < rows; r++) {
            FloatVector p = VectorMath.exp(FloatVector.fromArray(FLOATS, scores, r * COLUMNS + column).sub(m));
            p.intoMemorySegment(ALL, weights + r * COLUMN_BYTES, LE);
            total = total.add(p);
        }
        FloatVector.fromArray(FLOATS, sum, at).fma(FloatVector.fromArray(FLOATS, factors, column), total).intoArray(sum, at);
    }

    /// Forbids what lies in the future: column `c` of row `r` where `c < firstRow + r − firstColumn`; rows are keys, columns queries.
    static void maskRowsAfterColumns(float[] scores, int rows, int firstRow, int firstColumn) {
        for (int i = 0; i < rows * COLUMNS; i += LANES) {
            float bound = firstRow + i / COLUMNS - firstColumn - i % COLUMNS;
            FloatVector.fromArray(FLOATS, scores, i).blend(Float.NEGATIVE_INFINITY, INDEX.compare(VectorOperators.LT, bound)).intoArray(scores, i);
        }
    }

    /// The same with rows that are queries and columns that are keys.
    static void maskColumnsAfterRows(float[] scores, int rows, int firstRow, int firstColumn) {
        for (int i = 0; i < rows * COLUMNS; i += LANES) {
            float bound = firstRow + i / COLUMNS - firstColumn - i % COLUMNS;
            FloatVector.fromArray(FLOATS, scores, i).blend(Float.NEGATIVE_INFINITY, INDEX.compare(VectorOperators.GT, bound)).intoArray(scores, i);
        }
    }

    /// The gradients of scores, `P·(dP − delta)` with `P = exp(S − logSumExp)`; columns are queries.
    static void differentiate(float[] scores, float[] dp, int rows, float[] logSumExp, float[] delta, int at, long gradients) {
        for (int column = 0; column < COLUMNS; column += LANES) {
            differentiateColumn(scores, dp, column, rows, logSumExp, delta, at + column, gradients + column * 4L);
        }
    }

    private static void differentiateColumn(float[] scores, float[] dp, int column, int rows, float[] logSumExp, float[] delta, int at, long gradients) {
        FloatVector l = FloatVector.fromArray(FLOATS, logSumExp, at);
        FloatVector d = FloatVector.fromArray(FLOATS, delta, at);
        for (int r = 0; r < rows; r++) {
            int i = r * COLUMNS + column;
            VectorMath.exp(FloatVector.fromArray(FLOATS, scores, i).sub(l)).mul(FloatVector.fromArray(FLOATS, dp, i).sub(d))
                    .intoMemorySegment(ALL, gradients + r * COLUMN_BYTES, LE);
        }
    }

    /// P itself and the gradients of the scores, which also take the scores' place; rows are queries.
    static void differentiateRows(float[] scores, float[] dp, int rows, float[] logSumExp, float[] delta, long weights, long gradients) {
        for (int column = 0; column < COLUMNS; column += LANES) {
            differentiateRows(scores, dp, column, rows, logSumExp, delta, weights + column * 4L, gradients + column * 4L);
        }
        // apart, since a loop that writes to an array of floats reads the constants of `exp` again and again, which are such arrays
        Native.copy(gradients, scores, 0, rows * COLUMNS);
    }

    private static void differentiateRows(float[] scores, float[] dp, int column, int rows, float[] logSumExp, float[] delta, long weights, long gradients) {
        for (int r = 0; r < rows; r++) {
            int i = r * COLUMNS + column;
            FloatVector p = VectorMath.exp(FloatVector.fromArray(FLOATS, scores, i).sub(logSumExp[r]));
            p.intoMemorySegment(ALL, weights + r * COLUMN_BYTES, LE);
            p.mul(FloatVector.fromArray(FLOATS, dp, i).sub(delta[r])).intoMemorySegment(ALL, gradients + r * COLUMN_BYTES, LE);
        }
    }

    /// From running maxima and sums: factors become 1/sum, maxima become the logarithm of the sum of the exponentials of all scores; both become 0
    /// where there was no score.
    static void finish(float[] max, float[] sum, int at, float[] factors) {
        for (int column = 0; column < COLUMNS; column += LANES) {
            FloatVector total = FloatVector.fromArray(FLOATS, sum, at + column);
            VectorMask<Float> none = total.compare(VectorOperators.EQ, 0);
            FloatVector.broadcast(FLOATS, 1).div(total).blend(0, none).intoArray(factors, column);
            FloatVector.fromArray(FLOATS, max, at + column).add(VectorMath.log(total)).blend(0, none).intoArray(max, at + column);
        }
    }
}
