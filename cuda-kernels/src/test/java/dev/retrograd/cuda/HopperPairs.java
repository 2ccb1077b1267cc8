package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/// For each type of 16 bits, an emulated device of compute capability 9.0 that works on warpgroups, and one whose results are expected of it.
final class HopperPairs implements AutoCloseable {
    static final long DEVICE_BYTES = 64L << 20;
    static final List<Precision> PRECISIONS = List.of(Precision.BF16, Precision.FP16);

    private final String module;
    private final UnaryOperator<BackendOptions> choice;
    private final Map<Precision, EmulatedDriver> drivers = new EnumMap<>(Precision.class);
    private final Map<Precision, CudaBackend> hopper = new EnumMap<>(Precision.class);
    private final Map<Precision, CudaBackend> baseline = new EnumMap<>(Precision.class);

    /// @param module whose kernels are to be launched, all of them
    /// @param choice asks for them
    HopperPairs(String module, UnaryOperator<BackendOptions> choice) {
        this.module = module;
        this.choice = choice;
        for (Precision p : PRECISIONS) {
            drivers.put(p, EmulatedDriver.hopper(DEVICE_BYTES));
            hopper.put(p, CudaBackend.open(drivers.get(p), options(p)));
            baseline.put(p, new CudaBackend(new EmulatedDriver(DEVICE_BYTES), p));
        }
    }

    BackendOptions options(Precision p) {
        return choice.apply(BackendOptions.of(notice -> {
            throw new AssertionError(notice);
        }).with(Optional.of(p)).with(BackendOptions.Tiles.TABLE).withGraphs(false));
    }

    EmulatedDriver driver(Precision p) {
        return drivers.get(p);
    }

    CudaBackend hopper(Precision p) {
        return hopper.get(p);
    }

    CudaBackend baseline(Precision p) {
        return baseline.get(p);
    }

    static Tensor tensor(CudaBackend b, DType type, float[] values, int... dims) {
        Tensor wide = b.floats("wide", Shape.of(dims), values);
        Tensor t = b.empty("t", wide.spec().with(type));
        b.convert(wide, t);
        return t;
    }

    /// Sums of float32 in another order, rounded to 16 bits.
    ///
    /// @param slack beside a rounding, over the largest result
    static void agree(String what, Precision p, double slack, float[] expected, float[] got) {
        double scale = 0;
        for (float v : expected) {
            scale = Math.max(scale, Math.abs(v));
        }
        double ulp = p == Precision.BF16 ? 0x1p-7 : 0x1p-10;
        for (int i = 0; i < expected.length; i++) {
            assertTrue(Math.abs(got[i] - expected[i]) <= ulp * Math.abs(expected[i]) + slack * scale, what + " " + p + ", element " + i + ": " + expected[i] + " expected, got " + got[i]);
        }
    }

    @Override public void close() {
        Set<String> missed = new TreeSet<>();
        for (Precision p : PRECISIONS) {
            missed.addAll(EmulatedDriver.kernels(PtxText.read(module + "_" + TensorCores.name(p.activations()))));
            missed.removeAll(drivers.get(p).launched());
        }
        hopper.values().forEach(CudaBackend::close);
        baseline.values().forEach(CudaBackend::close);
        assertEquals(Set.of(), missed, "kernels that no test launches");
        drivers.values().forEach(d -> assertEquals(0, d.allocations()));
    }
}
