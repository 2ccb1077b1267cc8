package dev.retrograd.core.contract;

import dev.retrograd.core.DType;
import dev.retrograd.core.MatrixKernels;
import dev.retrograd.core.Unary;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.Arrays;
import java.util.List;

public interface MatrixContract extends Contract {

    private void multiply(int[] batch, int m, int n, int k, boolean sharedB, DType dtypeB) {
        for (boolean ta : new boolean[] {false, true}) {
            for (boolean tb : new boolean[] {false, true}) {
                Twin a = twins().normal(with(batch, ta ? k : m, ta ? m : k));
                Twin b = twins().normal(dtypeB, with(sharedB ? new int[0] : batch, tb ? n : k, tb ? k : n));
                Twin y = twins().output(with(batch, m, n));
                String what = (ta ? " aᵀ" : " a") + (tb ? "·bᵀ " : "·b ") + a.spec() + " " + b.spec();
                twins().run(s -> s.b().matmul(s.of(a), ta, s.of(b), tb, s.of(y)));
                twins().agree("matmul" + what, y);
                Twin sum = twins().normal(with(batch, m, n));
                twins().run(s -> s.b().matmulAcc(s.of(a), ta, s.of(b), tb, s.of(sum)));
                twins().agree("matmulAcc" + what, sum);
            }
        }
    }

    private static int[] with(int[] batch, int rows, int columns) {
        int[] dims = Arrays.copyOf(batch, batch.length + 2);
        dims[batch.length] = rows;
        dims[batch.length + 1] = columns;
        return dims;
    }

    @AtSizes default void matmulOfASize(int size) {
        multiply(new int[0], size, size, size, false, twins().activations());
    }

    @Case default void matmulOfUnevenShapes() {
        int[][] shapes = {{1, 207, 13}, {207, 1, 64}, {77, 64, 13}, {3, 5, 1500}, {64, 207, 1}, {4, 320, 320}, {130, 33, 400}, {13, 1, 1}};
        for (int[] s : shapes) {
            multiply(new int[0], s[0], s[1], s[2], false, twins().activations());
        }
    }

    /// Sizes that kernels with blocks of results have no tail at, and one more column.
    @Case default void matmulOfWholeTiles() {
        int[][] shapes = {{128, 128, 40}, {128, 64, 72}, {64, 64, 40}, {64, 32, 72}, {128, 129, 8}};
        for (int[] s : shapes) {
            multiply(new int[0], s[0], s[1], s[2], false, twins().activations());
        }
    }

    /// So many sums of one result that devices split them.
    @Case default void matmulOfFewResultsAndManyProducts() {
        multiply(new int[0], 4, 64, 1024, false, twins().activations());
        multiply(new int[0], 40, 9, 700, false, twins().activations());
    }

    @Case default void batchedMatmulWithOwnAndSharedRightSides() {
        for (boolean shared : new boolean[] {false, true}) {
            multiply(new int[] {3}, 13, 7, 64, shared, twins().activations());
            multiply(new int[] {2, 3}, 7, 13, 5, shared, twins().activations());
            multiply(new int[] {1}, 64, 64, 64, shared, twins().activations());
        }
    }

    @Case default void weightsOfAnotherTypeAreRead() {
        for (DType dtype : twins().activations() == DType.F32 ? List.of(DType.F16, DType.BF16) : List.of(DType.F32)) {
            multiply(new int[0], 13, 207, 64, false, dtype);
            multiply(new int[] {2}, 7, 13, 33, true, dtype);
            Twin x = twins().normal(2, 7, 64);
            Twin w = twins().normal(dtype, 13, 64);
            Twin bias = twins().single(13);
            Twin y = twins().output(2, 7, 13);
            twins().run(s -> s.b().linear(s.of(x), s.of(w), s.of(y)));
            twins().agree("linear with " + dtype, y);
            twins().run(s -> s.b().linear(s.of(x), s.of(w), s.of(bias), s.of(y)));
            twins().agree("linear with bias and " + dtype, y);
        }
    }

    @AtSizes default void linearLayersOfASize(int size) {
        for (int out : new int[] {1, 13, 64}) {
            Twin x = twins().normal(3, size, size);
            Twin w = twins().normal(out, size);
            Twin bias = twins().single(out);
            Twin y = twins().output(3, size, out);
            twins().run(s -> s.b().linear(s.of(x), s.of(w), s.of(y)));
            twins().agree("linear " + x.spec() + " " + w.spec(), y);
            Twin z = twins().output(3, size, out);
            twins().run(s -> s.b().linear(s.of(x), s.of(w), s.of(bias), s.of(z)));
            twins().agree("linear with bias " + x.spec() + " " + w.spec(), z);
        }
    }

    @AtSizes default void linearLayersWithWhatFollowsThem(int size) {
        for (int out : new int[] {1, 13, 40}) {
            Twin x = twins().normal(3, 5, size);
            Twin w = twins().normal(2 * out, size);
            Twin bias = twins().single(2 * out);
            Twin y = twins().output(3, 5, 2 * out);
            for (Unary f : List.of(Unary.SILU, Unary.GELU, Unary.TANH)) {
                twins().run(s -> s.b().linearActivated(s.of(x), s.of(w), s.of(bias), f, s.of(y)));
                twins().agree("linearActivated by " + f + " " + x.spec() + " " + w.spec(), y);
            }
            Twin residual = twins().normal(3, 5, 2 * out);
            twins().run(s -> s.b().linearResidual(s.of(x), s.of(w), s.of(bias), s.of(residual), s.of(y)));
            twins().agree("linearResidual " + x.spec() + " " + w.spec(), y);
            twins().run(s -> s.b().linearResidual(s.of(x), s.of(w), s.of(bias), s.of(residual), s.of(residual)));
            twins().agree("linearResidual onto its residual " + x.spec() + " " + w.spec(), residual);
            Twin gated = twins().output(3, 5, out);
            twins().run(s -> s.b().linearGeglu(s.of(x), s.of(w), s.of(bias), s.of(y), s.of(gated)));
            twins().agree("linearGeglu " + x.spec() + " " + w.spec(), y, gated);
        }
    }

    @AtSizes default void lowRankUpdateAddsToTheFrozenPart(int size) {
        for (int rank : new int[] {1, 4, 16}) {
            Twin x = twins().normal(2, 7, size);
            Twin a = twins().single(rank, size);
            Twin b = twins().single(13, rank);
            Twin xa = twins().output(2, 7, rank);
            Twin y = twins().normal(2, 7, 13);
            twins().run(s -> s.b().loraAcc(s.of(x), s.of(a), s.of(b), 0.25, s.of(xa), s.of(y)));
            twins().agree("loraAcc rank " + rank + " " + x.spec(), xa, y);
        }
    }

    @AtSizes default void lowRankLayersOfASizeAndTheirInputGradient(int size) {
        for (int rank : new int[] {1, 4, 16, 20, 64, 70}) {
            lowRankLayer(7, size, 13, rank);
        }
    }

    @Case default void lowRankLayersOfWholeTilesAndTheirInputGradient() {
        lowRankLayer(64, 128, 128, 4);
        lowRankLayer(64, 128, 128, 20);
    }

    private void lowRankLayer(int rows, int size, int out, int rank) {
        Twin x = twins().normal(2, rows, size);
        Twin w = twins().normal(out, size);
        Twin bias = twins().single(out);
        Twin a = twins().single(rank, size);
        Twin b = twins().single(out, rank);
        Twin xa = twins().output(2, rows, rank);
        Twin y = twins().output(2, rows, out);
        twins().run(s -> s.b().loraLinear(s.of(x), s.of(w), s.of(a), s.of(b), 0.25, s.of(xa), s.of(y)));
        twins().agree("loraLinear rank " + rank + " " + x.spec(), xa, y);
        twins().run(s -> s.b().loraLinear(s.of(x), s.of(w), s.of(bias), s.of(a), s.of(b), 0.25, s.of(xa), s.of(y)));
        twins().agree("loraLinear with bias, rank " + rank + " " + x.spec(), xa, y);
        Twin dy = twins().normal(2, rows, out);
        Twin dxa = twins().output(2, rows, rank);
        Twin dx = twins().outputLike(x);
        twins().run(s -> s.b().loraLinearBackwardInput(s.of(dy), s.of(w), s.of(a), s.of(b), 0.25, s.of(dxa), s.of(dx)));
        twins().agree("loraLinearBackwardInput rank " + rank + " " + x.spec(), dxa, dx);
        Twin da = twins().singleOutput(rank, size);
        twins().run(s -> s.b().matmul(MatrixKernels.rows(s.of(dxa)), true, MatrixKernels.rows(s.of(x)), false, s.of(da)));
        twins().agree("gradient of a, rank " + rank + " " + x.spec(), da);
    }

    @Case default void aViewOfABatchIsMultipliedInPlace() {
        Twin x = twins().normal(4, 7, 13);
        Twin w = twins().normal(5, 13);
        Twin y = twins().of(twins().activation(4, 7, 5), new double[140]);
        Twin part = x.view(t -> t.leading(1, 2));
        Twin target = y.view(t -> t.leading(2, 2));
        twins().run(s -> s.b().linear(s.of(part), s.of(w), s.of(target)));
        twins().agree("linear between views", y);
    }
}
