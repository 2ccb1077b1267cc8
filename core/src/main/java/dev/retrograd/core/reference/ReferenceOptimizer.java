package dev.retrograd.core.reference;

import dev.retrograd.core.OptimizerKernels;
import dev.retrograd.core.Tensor;

interface ReferenceOptimizer extends OptimizerKernels {

    @Override default void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v) {
        Values parameter = Values.of(p);
        Values first = Values.of(m);
        Values second = Values.of(v);
        double lr = step.learningRate();
        double correction1 = 1 - Math.pow(step.beta1(), step.t());
        double correction2 = 1 - Math.pow(step.beta2(), step.t());
        for (int i = 0; i < parameter.length(); i++) {
            double g = Values.of(gradientScale).get(0) * Values.of(grad).get(i);
            first.set(i, step.beta1() * first.get(i) + (1 - step.beta1()) * g);
            second.set(i, step.beta2() * second.get(i) + (1 - step.beta2()) * g * g);
            double decayed = parameter.get(i) * (1 - lr * step.weightDecay());
            parameter.set(i, decayed - lr / correction1 * first.get(i) / (Math.sqrt(second.get(i)) / Math.sqrt(correction2) + step.eps()));
        }
    }

    @Override default void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        Values.of(y).set(0, Math.min(1, maxNorm / (Values.of(norm).get(0) + 1e-6)));
    }
}
