package dev.retrograd.benchmarks.libtorch;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import java.util.SplittableRandom;

/// Seeded weights of a module, the same on both sides: uniform in ±1/√fan-in, norms around 1.
final class RandomWeights implements Weights {
    private final Backend backend;
    private final TorchWeights[] theirs;
    private final SplittableRandom random = new SplittableRandom(2);

    /// @param theirs are given every weight that is asked for
    RandomWeights(Backend backend, TorchWeights... theirs) {
        this.backend = backend;
        this.theirs = theirs;
    }

    @Override public boolean has(String name) {
        return false;
    }

    @Override public Parameter get(String name, int... shape) {
        return create(name, Shape.of(shape), Shape.of(shape), false);
    }

    @Override public Parameter kernel(String name, int out, int in, int height, int width) {
        return create(name, Shape.of(out, in, height, width), Shape.of(out, height, width, in), true);
    }

    @Override public Parameter pointwise(String name, int out, int in) {
        return create(name, Shape.of(out, in, 1, 1), Shape.of(out, in), false);
    }

    private Parameter create(String name, Shape inFile, Shape here, boolean kernel) {
        float[] values = new float[Math.toIntExact(inFile.elements())];
        boolean vector = inFile.rank() == 1;
        double bound = vector ? 0.1 : 1 / Math.sqrt((double) values.length / inFile.dim(0));
        double shift = vector && name.contains("norm") && name.endsWith("weight") ? 1 : 0;
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (shift + random.nextDouble(-bound, bound));
        }
        for (TorchWeights t : theirs) {
            t.put(name, values, inFile);
        }
        return new Parameter(name, backend.floats(name, here, kernel ? channelsLast(values, inFile) : values), inFile, false);
    }

    private static float[] channelsLast(float[] values, Shape oihw) {
        int in = oihw.dim(1);
        int taps = oihw.dim(2) * oihw.dim(3);
        float[] out = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            int o = i / (in * taps);
            out[(o * taps + i % taps) * in + i / taps % in] = values[i];
        }
        return out;
    }
}
