package dev.retrograd.autograd.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Op;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.CentralDifferences;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/// Compares the gradients of an operator, or of anything made of operators, with central differences in float64.
///
/// ```java
/// new GradientCheck(1).normal(2, 3, 5).normal(7, 5).check(new Linear());
/// new GradientCheck(2).uniform(0, 1, 1, 8, 8, 3).check(v -> reward.score(v[0]));
/// ```
/// The gradient of the result is random. Also checked: inputs and that gradient are left as they were, frozen inputs get no gradient, a
/// recomputed segment gives the same bits, and nothing stays in memory.
public final class GradientCheck {
    private record Input(Spec spec, double[] values, boolean wanted) {
    }

    private final long seed;
    private final RandomValues random;
    private final List<Input> inputs = new ArrayList<>();
    private double absolute = 1e-7;
    private double relative = 1e-6;

    public GradientCheck(long seed) {
        this.seed = seed;
        random = new RandomValues(seed);
    }

    /// A differentiated input of standard normal values.
    public GradientCheck normal(int... dims) {
        return add(DType.F64, Shape.of(dims), random.normalDoubles(Shape.of(dims).elements()), true);
    }

    /// A differentiated input of values in `[low, high)`.
    public GradientCheck uniform(double low, double high, int... dims) {
        return add(DType.F64, Shape.of(dims), Close.widened(random.uniform(Shape.of(dims).elements(), low, high)), true);
    }

    /// A differentiated input of these values.
    public GradientCheck values(Shape shape, double... values) {
        return add(DType.F64, shape, values, true);
    }

    /// A constant of standard normal values.
    public GradientCheck frozen(int... dims) {
        return add(DType.F64, Shape.of(dims), random.normalDoubles(Shape.of(dims).elements()), false);
    }

    /// A constant of integers in `0..bound − 1`.
    public GradientCheck ids(int bound, int... dims) {
        int[] ids = random.ints(Shape.of(dims).elements(), bound);
        return add(DType.I32, Shape.of(dims), java.util.Arrays.stream(ids).asDoubleStream().toArray(), false);
    }

    /// Another tolerance than 1e-7 + 1e-6·|expected|.
    public GradientCheck within(double absolute, double relative) {
        this.absolute = absolute;
        this.relative = relative;
        return this;
    }

    private GradientCheck add(DType dtype, Shape shape, double[] values, boolean wanted) {
        inputs.add(new Input(new Spec(shape, dtype), values, wanted));
        return this;
    }

    /// Checks an operator, with every choice of frozen inputs: the gradients of the others stay the same, to the bit.
    public void check(Op<?> op) {
        Function<Var[], Var> f = v -> v[0].tape().apply(op, v);
        boolean[] all = wanted();
        double[][] expected = check(f);
        for (int mask = 0; mask < 1 << all.length; mask++) {
            boolean[] some = all.clone();
            for (int i = 0; i < some.length; i++) {
                some[i] &= (mask >>> i & 1) == 1;
            }
            double[][] got = gradients(f, some, Segment.Retention.STORE, false);
            for (int i = 0; i < some.length; i++) {
                assertArrayEquals(some[i] ? expected[i] : null, got[i], op.name() + ": gradient of input " + i + " when others are frozen");
            }
        }
    }

    /// Checks a function of the inputs, in order.
    ///
    /// @return the gradients, `null` for constants
    public double[][] check(Function<Var[], Var> f) {
        boolean[] wanted = wanted();
        double[][] got = gradients(f, wanted, Segment.Retention.STORE, false);
        try (ReferenceBackend b = new ReferenceBackend()) {
            for (int i = 0; i < wanted.length; i++) {
                if (wanted[i]) {
                    int moved = i;
                    double[] dy = dy(run(b, f, moved, inputs.get(i).values).length);
                    double[] expected = CentralDifferences.gradient(x -> run(b, f, moved, x), inputs.get(i).values, dy);
                    Close.elements("gradient of input " + i + " " + inputs.get(i).spec, expected, got[i], absolute, relative);
                }
            }
        }
        double[][] stored = gradients(f, wanted, Segment.Retention.STORE, true);
        double[][] recomputed = gradients(f, wanted, Segment.Retention.RECOMPUTE, true);
        for (int i = 0; i < wanted.length; i++) {
            assertArrayEquals(got[i], stored[i], "gradient of input " + i + " through a stored segment");
            assertArrayEquals(got[i], recomputed[i], "gradient of input " + i + " through a recomputed segment");
        }
        return got;
    }

    private boolean[] wanted() {
        boolean[] wanted = new boolean[inputs.size()];
        for (int i = 0; i < wanted.length; i++) {
            wanted[i] = inputs.get(i).wanted;
        }
        return wanted;
    }

    /// The same random gradient of the result each time.
    private double[] dy(long count) {
        return new RandomValues(~seed).normalDoubles(count);
    }

    private double[] run(ReferenceBackend b, Function<Var[], Var> f, int moved, double[] values) {
        try (Scope _ = b.memory().open("forward"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var[] in = new Var[inputs.size()];
            for (int i = 0; i < in.length; i++) {
                in[i] = tape.constant(upload(b, i, i == moved ? values : inputs.get(i).values));
            }
            return b.toDoubles(f.apply(in).value());
        }
    }

    private Tensor upload(ReferenceBackend b, int i, double[] values) {
        Tensor t = b.empty("input " + i, inputs.get(i).spec);
        b.set(t, values);
        return t;
    }

    private double[][] gradients(Function<Var[], Var> f, boolean[] wanted, Segment.Retention retention, boolean inSegment) {
        try (ReferenceBackend b = new ReferenceBackend()) {
            double[][] d = new double[wanted.length][];
            try (Scope _ = b.memory().open("check"); Tape tape = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
                Var[] in = new Var[wanted.length];
                for (int i = 0; i < in.length; i++) {
                    Tensor t = upload(b, i, inputs.get(i).values);
                    in[i] = wanted[i] ? tape.input(t) : tape.constant(t);
                }
                Var y = inSegment ? tape.segment1("checked", f, in) : f.apply(in);
                Tensor dy = b.empty("dy", y.spec());
                b.set(dy, dy(dy.elements()));
                if (y.requiresGrad()) {
                    tape.backward(y, dy, gradients);
                }
                assertArrayEquals(dy(dy.elements()), b.toDoubles(dy), "the gradient of the result is left as it was");
                for (int i = 0; i < in.length; i++) {
                    assertArrayEquals(inputs.get(i).values, b.toDoubles(in[i].value()), "input " + i + " is left as it was");
                    assertEquals(wanted[i], gradients.of(in[i]).isPresent(), "input " + i + " has a gradient");
                    d[i] = gradients.of(in[i]).map(b::toDoubles).orElse(null);
                }
            }
            assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
            assertTrue(b.memory().peakBytes() > 0, "something was computed");
            return d;
        }
    }
}
