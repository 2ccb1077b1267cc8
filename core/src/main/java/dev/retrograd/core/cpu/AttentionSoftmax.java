package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.AttentionTile.load;
import static dev.retrograd.core.cpu.AttentionTile.store;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// What happens to a tile of scores, `[rows][COLUMNS]` in native memory, between the matrix products of attention.
///
/// In the forward pass and in the pass for dq, columns are queries and rows are keys; in the pass for dk and dv it is the other way round.
final class AttentionSoftmax {
    private static final FloatVector INDEX = FloatVector.zero(FLOATS).addIndex(1);
    private static final FloatVector ALL_LOWER = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    private static final long VECTOR_BYTES = LANES * 4L;

    private AttentionSoftmax() {
    }

    /// One step of the online softmax: scores become `exp(score − max)` with the running maximum of each column, whose running sum is
    /// brought up to date.
    ///
    /// @param max running maxima, before and after
    /// @param sum running sums of exponentials
    /// @param factors set to what earlier results have to be multiplied with
    /// @return whether a maximum rose, and factors other than 1 are to be applied
    static boolean update(long scores, int rows, long max, long sum, long factors) {
        boolean rose = false;
        for (long column = 0; column < COLUMN_BYTES; column += VECTOR_BYTES) {
            FloatVector before = load(max + column);
            FloatVector after = max(scores + column, rows, before);
            FloatVector factor = VectorMath.exp(before.sub(after));
            store(after, max + column);
            store(factor, factors + column);
            store(exponentials(scores + column, rows, after).add(load(sum + column).mul(factor)), sum + column);
            rose |= before.compare(VectorOperators.LT, after).anyTrue();
        }
        return rose;
    }

    /// Maxima of a column of vectors; in four chains, since comparing and choosing takes a while.
    private static FloatVector max(long scores, int rows, FloatVector start) {
        FloatVector m0 = start;
        FloatVector m1 = start;
        FloatVector m2 = start;
        FloatVector m3 = start;
        int r = 0;
        for (; r < rows - 3; r += 4) {
            m0 = larger(m0, load(scores + r * COLUMN_BYTES));
            m1 = larger(m1, load(scores + r * COLUMN_BYTES + COLUMN_BYTES));
            m2 = larger(m2, load(scores + r * COLUMN_BYTES + 2 * COLUMN_BYTES));
            m3 = larger(m3, load(scores + r * COLUMN_BYTES + 3 * COLUMN_BYTES));
        }
        for (; r < rows; r++) {
            m0 = larger(m0, load(scores + r * COLUMN_BYTES));
        }
        return larger(larger(m0, m1), larger(m2, m3));
    }

    /// The larger one; a NaN is passed over here, and shows in its exponential. Half the instructions of `max`, which orders NaN and −0.
    private static FloatVector larger(FloatVector a, FloatVector b) {
        return a.blend(b, b.compare(VectorOperators.GT, a));
    }

    private static FloatVector exponentials(long scores, int rows, FloatVector max) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int r = 0; r < rows; r++) {
            FloatVector p = VectorMath.exp(load(scores + r * COLUMN_BYTES).sub(max));
            store(p, scores + r * COLUMN_BYTES);
            sum = sum.add(p);
        }
        return sum;
    }

    /// Multiplies the rows of a tile of results with a factor per column.
    static void rescale(long result, int rows, long factors) {
        FloatVector left = load(factors);
        FloatVector right = load(factors + VECTOR_BYTES);
        for (int r = 0; r < rows; r++) {
            store(load(result + r * COLUMN_BYTES).mul(left), result + r * COLUMN_BYTES);
            store(load(result + r * COLUMN_BYTES + VECTOR_BYTES).mul(right), result + r * COLUMN_BYTES + VECTOR_BYTES);
        }
    }

    /// Forbids what lies in the future: column `c` of row `r` where `c < firstRow + r − firstColumn`; rows are keys, columns queries.
    static void maskRowsAfterColumns(long scores, int rows, int firstRow, int firstColumn) {
        for (int r = 0; r < rows; r++) {
            for (int half = 0; half < 2; half++) {
                long at = scores + r * COLUMN_BYTES + half * VECTOR_BYTES;
                float bound = firstRow + r - firstColumn - half * LANES;
                store(load(at).blend(ALL_LOWER, INDEX.compare(VectorOperators.LT, bound)), at);
            }
        }
    }

    /// The same with rows that are queries and columns that are keys.
    static void maskColumnsAfterRows(long scores, int rows, int firstRow, int firstColumn) {
        for (int r = 0; r < rows; r++) {
            for (int half = 0; half < 2; half++) {
                long at = scores + r * COLUMN_BYTES + half * VECTOR_BYTES;
                float bound = firstRow + r - firstColumn - half * LANES;
                store(load(at).blend(ALL_LOWER, INDEX.compare(VectorOperators.GT, bound)), at);
            }
        }
    }

    /// Scores become their gradients, `P·(dP − delta)` with `P = exp(S − logSumExp)`; columns are queries.
    static void differentiate(long scores, long dp, int rows, long logSumExp, long delta) {
        for (long column = 0; column < COLUMN_BYTES; column += VECTOR_BYTES) {
            FloatVector l = load(logSumExp + column);
            FloatVector d = load(delta + column);
            for (int r = 0; r < rows; r++) {
                long o = column + r * COLUMN_BYTES;
                store(VectorMath.exp(load(scores + o).sub(l)).mul(load(dp + o).sub(d)), scores + o);
            }
        }
    }

    /// Scores become P and `dp` becomes the gradients of the scores; rows are queries.
    static void differentiateRows(long scores, long dp, int rows, long logSumExp, long delta) {
        for (int r = 0; r < rows; r++) {
            FloatVector l = FloatVector.broadcast(FLOATS, ALL.get(JAVA_FLOAT_UNALIGNED, logSumExp + r * 4L));
            FloatVector d = FloatVector.broadcast(FLOATS, ALL.get(JAVA_FLOAT_UNALIGNED, delta + r * 4L));
            for (int half = 0; half < 2; half++) {
                long o = r * COLUMN_BYTES + half * VECTOR_BYTES;
                FloatVector p = VectorMath.exp(load(scores + o).sub(l));
                store(p, scores + o);
                store(p.mul(load(dp + o).sub(d)), dp + o);
            }
        }
    }

    /// Sets running maxima and sums to those of no scores.
    static void reset(long max, long sum, int columns) {
        for (int c = 0; c < columns; c += LANES) {
            store(ALL_LOWER, max + c * 4L);
            store(FloatVector.zero(FLOATS), sum + c * 4L);
        }
    }

    /// From running maxima and sums: factors become 1/sum, maxima become the logarithm of the sum of the exponentials of all scores.
    static void finish(long max, long sum, long factors) {
        for (long column = 0; column < COLUMN_BYTES; column += VECTOR_BYTES) {
            FloatVector total = load(sum + column);
            store(FloatVector.broadcast(FLOATS, 1).div(total), factors + column);
            store(load(max + column).add(VectorMath.log(total)), max + column);
        }
    }

    /// Sets the factors of all columns.
    static void fill(long factors, float value) {
        for (int c = 0; c < COLUMNS; c += LANES) {
            store(FloatVector.broadcast(FLOATS, value), factors + c * 4L);
        }
    }
}
