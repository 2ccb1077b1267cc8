package dev.retrograd.core.contract;

import static dev.retrograd.core.testing.Claims.assertArrayEquals;
import static dev.retrograd.core.testing.Claims.assertEquals;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.reference.RoundingBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/// The same tensors and kernel calls on four backends: the one under test, the float64 reference, a naive float32 one that rounds what rests in
/// 16 bits, and a plan.
///
/// The reference gives the values that are right, the naive one the error that is excusable, the plan the bytes that must be live.
public final class Twins implements AutoCloseable {
    private static final int DEVICE = 0;
    private static final int EXACT = 1;
    private static final int NAIVE = 2;
    private static final double FLOAT64_TOLERANCE = 1e-13;
    /// One rounding to 16 bits, and a little for a value that float32 puts on the other side of the middle.
    private static final double ROUNDINGS = 1.01;

    private final List<Backend> backends;
    private final DType activations;
    private final double slack;
    private final RandomValues random;
    private final Scope scope;
    private final long liveBefore;
    private final long allocationsBefore;
    private boolean allocatesElsewhere;

    /// @param slack relative error allowed beside twice the naive float32 computation's
    /// @param activations the type of tensors that no kernel holds in float32
    Twins(Backend device, DType activations, double slack, long seed) {
        backends = List.of(device, new ReferenceBackend(), RoundingBackend.of(ReferenceBackend.float32(), activations), new PlanBackend(device.name(), device.workspaceBytes(), device.precision()));
        this.activations = activations;
        this.slack = slack;
        random = new RandomValues(seed);
        liveBefore = device.memory().liveBytes();
        allocationsBefore = device.memory().allocations();
        device.memory().resetPeak();
        scope = device.memory().open("contract");
    }

    /// One tensor, on every backend.
    public record Twin(List<Tensor> tensors) {
        public Spec spec() {
            return tensors.getFirst().spec();
        }

        /// The same view of each.
        public Twin view(UnaryOperator<Tensor> view) {
            return new Twin(tensors.stream().map(view).toList());
        }
    }

    /// One backend in turn, and its tensors.
    public record Side(Backend b, int index) {
        public Tensor of(Twin twin) {
            return twin.tensors().get(index);
        }
    }

    /// The backend under test.
    Backend device() {
        return backends.get(DEVICE);
    }

    /// The test itself allocates on the device, so that its memory is not compared with the plan's.
    void allocatesElsewhere() {
        allocatesElsewhere = true;
    }

    RandomValues random() {
        return random;
    }

    /// Standard normal values, rounded to the type.
    Twin normal(DType dtype, int... dims) {
        return of(new Spec(Shape.of(dims), dtype), random.normalDoubles(Shape.of(dims).elements()));
    }

    /// The type of activations.
    DType activations() {
        return activations;
    }

    /// Types that elementwise kernels and sums take.
    List<DType> floats() {
        return activations == DType.F32 ? List.of(DType.F32, DType.F64) : List.of(activations);
    }

    /// Standard normal activations.
    Twin normal(int... dims) {
        return normal(activations, dims);
    }

    /// Standard normal values of what is float32 beside any activations: biases, gamma, beta, low-rank matrices.
    Twin single(int... dims) {
        return normal(DType.F32, dims);
    }

    /// Activations in `[low, high)`.
    Twin uniform(double low, double high, int... dims) {
        return of(activation(dims), Close.widened(random.uniform(Shape.of(dims).elements(), low, high)));
    }

    /// Random ids below `bound`.
    Twin ids(int bound, int... dims) {
        Spec spec = new Spec(Shape.of(dims), DType.I32);
        return of(spec, IntStream.of(random.ints(spec.shape().elements(), bound)).asDoubleStream().toArray());
    }

    /// A float32 vector of these values.
    Twin vector(double... values) {
        return of(Spec.f32(values.length), values);
    }

    /// These values, rounded to the type, on every backend.
    Twin of(Spec spec, double... values) {
        MemorySegment bytes = HostValues.encode(spec.dtype(), values);
        return new Twin(backends.stream().map(b -> {
            Tensor t = b.empty("input", spec);
            b.upload(bytes, t);
            return t;
        }).toList());
    }

    /// A tensor full of what no kernel may leave there: NaN, or −1 as an integer.
    Twin output(Spec spec) {
        return new Twin(backends.stream().map(b -> {
            Tensor t = b.empty("output", spec);
            b.fill(t, spec.dtype().floating() ? Double.NaN : spec.dtype() == DType.U8 ? 255 : -1);
            return t;
        }).toList());
    }

    /// An output of activations.
    Twin output(int... dims) {
        return output(activation(dims));
    }

    /// An output that is float32 beside any activations: statistics, weights' gradients.
    Twin singleOutput(int... dims) {
        return output(Spec.f32(dims));
    }

    Spec activation(int... dims) {
        return new Spec(Shape.of(dims), activations);
    }

    Twin outputLike(Twin x) {
        return output(x.spec());
    }

    /// Calls a kernel on every backend; it may not allocate.
    void run(Consumer<Side> kernel) {
        for (int i = 0; i < backends.size(); i++) {
            long before = backends.get(i).memory().allocations();
            kernel.accept(new Side(backends.get(i), i));
            assertEquals(before, backends.get(i).memory().allocations(), backends.get(i).name() + ": tensors allocated by the kernel");
        }
    }

    double[] values(Twin twin) {
        return values(DEVICE, twin);
    }

    private double[] values(int index, Twin twin) {
        return HostValues.download(backends.get(index), twin.tensors().get(index));
    }

    /// Relative L2 error against float64 at most twice the naive float32 computation's plus the slack.
    void agree(String what, Twin... results) {
        for (int i = 0; i < results.length; i++) {
            Twin y = results[i];
            String where = what + ", result " + i + " " + y.spec();
            double[] exact = exact(y);
            if (y.spec().dtype() == DType.F64) {
                Close.elements(where, exact, values(y), FLOAT64_TOLERANCE, FLOAT64_TOLERANCE);
            } else {
                double naive = Close.relativeL2(exact, values(NAIVE, y));
                Close.relativeL2(where, exact, values(y), 2 * naive + slack);
            }
            goOnFromTheDevice(y);
        }
    }

    /// Every element within the slack, relative or absolute.
    void agreeElementwise(String what, Twin y) {
        double allowed = y.spec().dtype() == DType.F64 ? FLOAT64_TOLERANCE : slack;
        Close.elements(what + " " + y.spec(), exact(y), values(y), allowed, allowed + ROUNDINGS * RoundingBackend.unitRoundoff(y.spec().dtype()));
        goOnFromTheDevice(y);
    }

    /// After a comparison in 16 bits: what the device wrote is the input of what follows, so that its rounding counts once.
    private void goOnFromTheDevice(Twin y) {
        if (RoundingBackend.unitRoundoff(y.spec().dtype()) > 0) {
            MemorySegment bytes = MemorySegment.ofArray(bits(y));
            for (int i = 1; i < backends.size(); i++) {
                backends.get(i).upload(bytes, y.tensors().get(i));
            }
        }
    }

    /// Every element within an absolute distance: for results that are zero but for the rounding of what cancels.
    void agreeWithin(double absolute, String what, Twin y) {
        Close.elements(what + " " + y.spec(), exact(y), values(y), absolute, 0);
    }

    /// Relative error allowed beside twice the naive float32 computation's.
    double slack() {
        return slack;
    }

    /// Every element the very same number.
    void agreeExactly(String what, Twin y) {
        assertArrayEquals(exact(y), values(y), what + " " + y.spec());
    }

    private double[] exact(Twin y) {
        return ((ReferenceBackend) backends.get(EXACT)).toDoubles(y.tensors().get(EXACT));
    }

    /// Bits of every element on the device, for comparisons of two runs.
    byte[] bits(Twin y) {
        Tensor t = y.tensors().get(DEVICE);
        byte[] bytes = new byte[Math.toIntExact(t.spec().bytes())];
        backends.get(DEVICE).download(t, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /// Compares the device's memory with the plan's, then frees everything.
    @Override public void close() {
        Backend device = backends.getFirst();
        Backend plan = backends.getLast();
        long live = device.memory().liveBytes() - liveBefore;
        long peak = device.memory().peakBytes() - liveBefore;
        long allocations = device.memory().allocations() - allocationsBefore;
        long plannedLive = plan.memory().liveBytes();
        scope.close();
        backends.stream().skip(1).forEach(Backend::close);
        if (allocatesElsewhere) {
            return;
        }
        assertEquals(plannedLive, live, "live bytes, planned and actual");
        assertEquals(plan.memory().allocations(), allocations, "allocations, planned and actual");
        assertEquals(plan.memory().peakBytes(), peak, "peak bytes, planned and actual");
    }
}
