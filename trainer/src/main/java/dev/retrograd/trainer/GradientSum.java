package dev.retrograd.trainer;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import java.util.Arrays;
import java.util.List;

/// Adds up the gradients of micro-batches in the order of their numbers, in whichever order they come: rounding is the same whoever computed them.
final class GradientSum {
    private final float[][] sum;
    private final Computed[] all;
    private int added;

    /// @param micros micro-batches
    /// @param parameters trained weights
    GradientSum(int micros, int parameters) {
        all = new Computed[micros];
        sum = new float[parameters][];
    }

    /// Takes one; what it waits for is kept until it comes.
    void take(int number, Computed computed) {
        if (all[number] != null) {
            throw new IllegalStateException("gradients: each micro-batch must come once, got number " + number + " twice");
        }
        if (computed.gradients().length != sum.length) {
            throw new IllegalArgumentException("gradients: must be of " + sum.length + " weights, got " + computed.gradients().length);
        }
        all[number] = computed;
        while (added < all.length && all[added] != null) {
            Computed next = all[added];
            for (int i = 0; i < sum.length; i++) {
                add(i, next.gradients()[i]);
            }
            // Numbers of images stay, gradients do not.
            all[added++] = new Computed(next.result(), new float[0][], next.unplanned(), next.measured());
        }
    }

    private void add(int parameter, float... gradient) {
        if (gradient == null) {
            return;
        }
        float[] to = sum[parameter];
        if (to == null) {
            sum[parameter] = gradient.clone();
            return;
        }
        for (int j = 0; j < to.length; j++) {
            to[j] += gradient[j];
        }
    }

    /// All micro-batches, in order.
    List<Computed> all() {
        if (added < all.length) {
            throw new IllegalStateException("gradients: all " + all.length + " micro-batches must have come, got " + added);
        }
        return Arrays.asList(all);
    }

    /// Adds the sum to gradients on a backend.
    void into(Gradients gradients, Backend backend, List<Parameter> parameters) {
        for (int i = 0; i < sum.length; i++) {
            if (sum[i] != null) {
                Parameter p = parameters.get(i);
                try (Scope _ = backend.memory().open("sum")) {
                    gradients.add(p, backend.floats("gradient of " + p.name(), p.spec().shape(), sum[i]));
                }
            }
        }
    }
}
