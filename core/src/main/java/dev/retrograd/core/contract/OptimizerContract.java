package dev.retrograd.core.contract;

import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.OptimizerKernels.AdamWWeight;
import dev.retrograd.core.Spec;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.stream.IntStream;
import java.util.stream.Stream;

public interface OptimizerContract extends Contract {

    @AtSizes default void severalAdamWSteps(int size) {
        Twin p = twins().single(size);
        Twin m = twins().of(Spec.f32(size), new double[size]);
        Twin v = twins().of(Spec.f32(size), new double[size]);
        Twin scale = twins().of(Spec.f32(), 0.5);
        for (int t = 1; t <= 3; t++) {
            Twin grad = twins().single(size);
            AdamWStep step = new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.1, t);
            twins().run(s -> s.b().adamw(step, s.of(grad), s.of(scale), s.of(p), s.of(m), s.of(v)));
            twins().agree("adamw step " + t, p, m, v);
        }
    }

    /// Of sizes with and without tails, an empty tensor among them, as the table of many tensors has them.
    @Case default void anAdamWStepAndAnAverageOfManyTensors() {
        int[] sizes = {1, 2048, 0, 2049, 13, 5000};
        Twin[] p = IntStream.of(sizes).mapToObj(twins()::normal).toArray(Twin[]::new);
        Twin[] m = IntStream.of(sizes).mapToObj(twins()::normal).toArray(Twin[]::new);
        Twin[] v = IntStream.of(sizes).mapToObj(n -> twins().uniform(0, 1, n)).toArray(Twin[]::new);
        Twin[] average = IntStream.of(sizes).mapToObj(twins()::normal).toArray(Twin[]::new);
        Twin scale = twins().of(Spec.f32(), 0.25);
        for (int t = 1; t <= 2; t++) {
            Twin[] grad = IntStream.of(sizes).mapToObj(twins()::normal).toArray(Twin[]::new);
            AdamWStep step = new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.1, t);
            twins().run(s -> s.b().adamw(step, s.of(scale), IntStream.range(0, sizes.length).mapToObj(i -> new AdamWWeight(s.of(grad[i]), s.of(p[i]), s.of(m[i]), s.of(v[i]))).toList()));
            twins().run(s -> s.b().average(0.75, Stream.of(average).map(s::of).toList(), Stream.of(p).map(s::of).toList()));
            for (int i = 0; i < sizes.length; i++) {
                twins().agree("adamw step " + t + " on tensor " + i, p[i], m[i], v[i], average[i]);
            }
        }
    }

    @Case default void clipFactorIsOneBelowTheLimit() {
        for (double norm : new double[] {0, 0.5, 1, 2.5, 1e6}) {
            Twin n = twins().of(Spec.f32(), norm);
            Twin y = twins().singleOutput();
            twins().run(s -> s.b().clipFactor(s.of(n), 1.0, s.of(y)));
            twins().agreeElementwise("clipFactor of norm " + norm, y);
        }
    }
}
