package dev.retrograd.core;

import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.Twins.Twin;
import org.junit.jupiter.api.Test;

interface OptimizerContract extends Contract {

    @AtSizes default void severalAdamWSteps(int size) {
        Twin p = twins().normal(size);
        Twin m = twins().of(Spec.f32(size), new double[size]);
        Twin v = twins().of(Spec.f32(size), new double[size]);
        Twin scale = twins().of(Spec.f32(), 0.5);
        for (int t = 1; t <= 3; t++) {
            Twin grad = twins().normal(size);
            AdamWStep step = new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.1, t);
            twins().run(s -> s.b().adamw(step, s.of(grad), s.of(scale), s.of(p), s.of(m), s.of(v)));
            twins().agree("adamw step " + t, p, m, v);
        }
    }

    @Test default void clipFactorIsOneBelowTheLimit() {
        for (double norm : new double[] {0, 0.5, 1, 2.5, 1e6}) {
            Twin n = twins().of(Spec.f32(), norm);
            Twin y = twins().output();
            twins().run(s -> s.b().clipFactor(s.of(n), 1.0, s.of(y)));
            twins().agreeElementwise("clipFactor of norm " + norm, y);
        }
    }
}
