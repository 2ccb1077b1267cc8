package dev.retrograd.core.contract;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

public interface ReductionContract extends Contract {

    @Case default void sumsAndBroadcastsOverAnyAxes() {
        int[][][] pairs = {{{2, 5, 3, 7}, {7}}, {{2, 5, 3, 7}, {2, 1, 1, 1}}, {{2, 5, 3, 7}, {}}, {{2, 5, 3, 7}, {1, 5, 1, 7}}, {{2, 5, 3, 7}, {5, 1, 1}}, {{2, 5, 3, 7}, {2, 5, 3, 1}},
            {{2, 5, 3, 7}, {2, 5, 3, 7}}, {{2, 5, 3, 7}, {1}}, {{2, 64, 320}, {320}}, {{2, 64, 320}, {2, 1, 320}}, {{207, 207}, {207}}, {{207, 207}, {207, 1}}, {{1}, {}}, {{}, {}}, {{3, 1, 4, 1}, {3, 1, 1, 1}}};
        for (int[][] pair : pairs) {
            for (DType dtype : twins().floats()) {
                Twin x = twins().normal(dtype, pair[0]);
                Twin y = twins().output(new Spec(Shape.of(pair[1]), dtype));
                twins().run(s -> s.b().sumTo(s.of(x), 0.75, s.of(y)));
                twins().agree("sumTo from " + x.spec(), y);
                Twin small = twins().normal(dtype, pair[1]);
                Twin large = twins().outputLike(x);
                twins().run(s -> s.b().broadcastTo(s.of(small), -1.5, s.of(large)));
                twins().agreeElementwise("broadcastTo from " + small.spec(), large);
            }
        }
    }

    @AtSizes default void sumsOfASize(int size) {
        for (int[] to : new int[][] {{}, {size}, {3, 1}}) {
            Twin x = twins().normal(3, size);
            Twin y = twins().output(to);
            twins().run(s -> s.b().sumTo(s.of(x), 1, s.of(y)));
            twins().agree("sumTo from " + x.spec(), y);
        }
    }

    /// A naive float32 sum of so many equal signs loses four digits; the contract asks for float64 or pairwise accumulation.
    @Case default void longSumsKeepTheirDigits() {
        Twin x = twins().uniform(0.5, 1.5, 300_000);
        Twin y = twins().singleOutput();
        twins().run(s -> s.b().sumTo(s.of(x), 1, s.of(y)));
        twins().agreeElementwise("sumTo of 300000", y);
        Twin columns = twins().singleOutput(3);
        twins().run(s -> s.b().sumTo(s.of(x).reshape(100_000, 3), 1e-5, s.of(columns)));
        twins().agreeElementwise("sumTo of 100000 rows", columns);
    }

    @Case default void globalNormOverManyTensors() {
        Twin[] xs = IntStream.of(1, 7, 13, 64, 207, 5000).mapToObj(twins()::single).toArray(Twin[]::new);
        Twin y = twins().singleOutput();
        for (int count = 1; count <= xs.length; count++) {
            List<Twin> used = Arrays.asList(xs).subList(0, count);
            twins().run(s -> s.b().globalNorm(used.stream().map(s::of).toList(), s.of(y)));
            twins().agreeElementwise("globalNorm of " + count + " tensors", y);
        }
    }
}
