package dev.retrograd.core.contract;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.Arrays;
import java.util.List;

public interface ShapeContract extends Contract {

    /// 0, 1, 2, … modulo 120: exact in every type.
    private Twin counting(DType dtype, int... dims) {
        double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
        Arrays.setAll(values, i -> i % 120);
        return twins().of(new Spec(Shape.of(dims), dtype), values);
    }

    @Case default void permutesAxesOfEveryType() {
        int[][][] cases = {{{5}, {0}}, {{7, 13}, {1, 0}}, {{207, 64}, {1, 0}}, {{2, 3, 4}, {2, 0, 1}}, {{2, 3, 4}, {0, 2, 1}}, {{2, 5, 4, 3}, {0, 3, 1, 2}}, {{2, 3, 5, 4}, {0, 2, 3, 1}},
            {{4, 3, 2, 5}, {0, 2, 3, 1}}, {{2, 7, 3, 8}, {0, 2, 1, 3}}, {{2, 3, 4, 5}, {0, 1, 2, 3}}, {{2, 3, 1, 4, 2, 3}, {5, 2, 0, 4, 1, 3}}, {{1, 1, 1}, {2, 1, 0}}};
        for (int[][] c : cases) {
            int[] dims = Arrays.stream(c[1]).map(axis -> c[0][axis]).toArray();
            for (DType dtype : DType.values()) {
                Twin x = counting(dtype, c[0]);
                Twin y = twins().output(new Spec(Shape.of(dims), dtype));
                twins().run(s -> s.b().permute(s.of(x), c[1], s.of(y)));
                twins().agreeExactly("permute " + Arrays.toString(c[1]) + " of " + x.spec(), y);
            }
        }
    }

    @AtSizes default void transposesASize(int size) {
        Twin x = twins().normal(2, size, 13);
        Twin y = twins().output(2, 13, size);
        twins().run(s -> s.b().permute(s.of(x), new int[] {0, 2, 1}, s.of(y)));
        twins().agreeExactly("permute of " + x.spec(), y);
    }

    @AtSizes default void concatenatesAndSlicesChannels(int size) {
        for (DType dtype : DType.values()) {
            Twin a = counting(dtype, 2, 3, size);
            Twin b = counting(dtype, 2, 3, 5);
            Twin y = twins().output(new Spec(Shape.of(2, 3, size + 5), dtype));
            twins().run(s -> s.b().copySlice(s.of(a), -1, 0, s.of(y), 0, size));
            twins().run(s -> s.b().copySlice(s.of(b), 2, 0, s.of(y), size, 5));
            twins().agreeExactly("concat of " + a.spec() + " and " + b.spec(), y);
            Twin z = twins().output(new Spec(Shape.of(2, 3, 3), dtype));
            twins().run(s -> s.b().copySlice(s.of(y), -1, size, s.of(z), 0, 3));
            twins().agreeExactly("slice of " + y.spec(), z);
        }
    }

    @Case default void copiesSlicesOfAnyAxisAndTouchesNothingElse() {
        for (int axis = 0; axis < 4; axis++) {
            int[] small = {3, 4, 5, 6};
            int[] large = small.clone();
            large[axis] += 2;
            int at = axis;
            Twin x = twins().normal(small);
            Twin y = twins().normal(large);
            twins().run(s -> s.b().copySlice(s.of(x), at, 1, s.of(y), 2, 2));
            twins().agreeExactly("copySlice along " + axis, y);
        }
    }

    @AtSizes default void gathersAndScattersRows(int width) {
        Twin ids = twins().ids(11, 2, 9);
        for (DType dtype : twins().activations() == DType.F32 ? List.of(DType.F32, DType.F16, DType.BF16) : List.of(twins().activations())) {
            Twin table = twins().normal(dtype, 11, width);
            for (Twin y : List.of(twins().output(2, 9, width), twins().singleOutput(2, 9, width))) {
                twins().run(s -> s.b().gatherRows(s.of(table), s.of(ids), s.of(y)));
                twins().agreeExactly("gatherRows from " + table.spec() + " to " + y.spec(), y);
            }
        }
        for (Twin dy : List.of(twins().normal(2, 9, width), twins().single(2, 9, width))) {
            Twin dtable = twins().output(11, width);
            twins().run(s -> s.b().scatterRows(s.of(dy), s.of(ids), s.of(dtable)));
            twins().agree("scatterRows of " + dy.spec() + " into " + dtable.spec(), dtable);
        }
    }
}
