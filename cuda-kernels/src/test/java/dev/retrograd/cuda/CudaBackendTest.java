package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.OptimizerKernels.AdamWWeight;
import dev.retrograd.core.OutOfMemoryException;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import dev.retrograd.cuda.emulator.KernelFault;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What the contract does not reach: the allocator's cache, running out of memory, operands of 16 bits on the left, refusals.
class CudaBackendTest {
    private final EmulatedDriver driver = new EmulatedDriver(20 << 20);
    private final CudaBackend backend = new CudaBackend(driver, Precision.F32);

    @AfterEach void close() {
        backend.close();
        assertEquals(0, driver.allocations());
    }

    @Test void freedMemoryServesTheNextTensorOfItsSize() {
        for (int round = 0; round < 3; round++) {
            try (Scope _ = backend.memory().open("round")) {
                backend.fill(backend.empty("a", Spec.f32(1000)), 1);
                backend.fill(backend.empty("b", Spec.f32(990)), 2);
            }
            assertEquals(0, backend.memory().liveBytes());
            assertEquals(2 * 4096, backend.reservedBytes(), "after round " + round);
        }
    }

    @Test void cachedMemoryIsGivenBackBeforeMemoryRunsOut() {
        for (int megabytes = 1; megabytes < 12; megabytes++) {
            try (Scope _ = backend.memory().open("step")) {
                backend.empty("x", Spec.f32(megabytes << 18));
            }
        }
        assertTrue(backend.reservedBytes() > 10 << 20, "cached: " + backend.reservedBytes());
        backend.empty("large", Spec.f32(14 << 18));
        assertEquals(14 << 20, backend.reservedBytes(), "what was cached was given back, and only the large one is held");
    }

    @Test void runningOutOfMemoryNamesTheSegmentTheBytesAndWhatToChange() {
        backend.empty("weights", Spec.f32(4 << 18));
        try (Scope _ = backend.memory().open("update 3"); Scope _ = backend.memory().open("step 12")) {
            OutOfMemoryException e = assertThrows(OutOfMemoryException.class, () -> backend.empty("activations", Spec.f32(13 << 18)));
            assertTrue(e.getMessage().matches("cuda:0 > update 3 > step 12: no room for 'activations': 13631488 bytes asked for, 4194304 live, \\d+ free of 20971520; "
                    + "lower --micro-batch-size, --memory, .*, or choose --precision bf16"), e.getMessage());
            backend.fill(backend.empty("less", Spec.f32(8 << 18)), 1);
        }
        assertEquals(4 << 20, backend.memory().liveBytes(), "what failed left nothing behind");
    }

    @Test void readingATensorThatNothingWroteIsFound() {
        Tensor x = backend.empty("x", Spec.f32(64));
        assertThrows(KernelFault.class, () -> backend.toFloats(x));
        assertThrows(KernelFault.class, () -> backend.sumTo(x, 1, backend.empty("y", Spec.f32())));
    }

    @Test void readingMemoryOfAnEarlierTensorIsFound() {
        try (Scope _ = backend.memory().open("earlier")) {
            backend.fill(backend.empty("x", Spec.f32(64)), 1);
        }
        Tensor y = backend.empty("y", Spec.f32(64));
        assertEquals(256, backend.reservedBytes(), "y lies where x lay");
        assertThrows(KernelFault.class, () -> backend.toFloats(y));
    }

    @Test void aLeftOperandOfSixteenBitsIsWidened() {
        for (DType type : new DType[] {DType.F16, DType.BF16}) {
            Tensor a = backend.empty("a", new Spec(Shape.of(2, 3), type));
            backend.convert(backend.floats("wide", Shape.of(2, 3), 1, 2, 3, 4, 5, 6), a);
            Tensor b = backend.floats("b", Shape.of(3, 1), 1, 10, 100);
            Tensor y = backend.empty("y", Spec.f32(2, 1));
            backend.matmul(a, false, b, false, y);
            assertArrayEquals(new float[] {321, 654}, backend.toFloats(y), type.name());
        }
    }

    @Test void longTransfersGoInPieces() {
        int[] values = new int[(3 << 18) + 5];
        Arrays.setAll(values, i -> i * 7);
        Tensor t = backend.ints("long", Shape.of(values.length), values);
        int[] back = new int[values.length];
        backend.download(t, MemorySegment.ofArray(back));
        assertArrayEquals(values, back);
    }

    @Test void anUpdateOfAllWeightsTakesFiveLaunches() {
        List<Tensor> weights = IntStream.range(0, 128).mapToObj(i -> written("w" + i, 100 + 37 * i)).toList();
        List<AdamWWeight> all = weights.stream().map(w -> new AdamWWeight(written("g", w.dim(0)), w, written("m", w.dim(0)), written("v", w.dim(0)))).toList();
        List<Tensor> averages = weights.stream().map(w -> written("average", w.dim(0))).toList();
        Tensor norm = backend.empty("norm", Spec.f32());
        Tensor factor = backend.empty("factor", Spec.f32());
        for (int step = 1; step <= 2; step++) {
            long before = driver.launches();
            backend.globalNorm(all.stream().map(AdamWWeight::grad).toList(), norm);
            backend.clipFactor(norm, 1, factor);
            backend.adamw(new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 1e-4, step), factor, all);
            backend.average(0.99, averages, weights);
            assertEquals(2 + 1 + 1 + 1, driver.launches() - before, "launches: sums, their root, the factor, AdamW, the averages");
        }
        long elements = weights.stream().mapToLong(Tensor::elements).sum();
        assertEquals(Math.sqrt(elements * 0.25), backend.toFloats(norm)[0], 1e-3);
    }

    /// A vector of halves.
    private Tensor written(String name, int size) {
        Tensor t = backend.empty(name, Spec.f32(size));
        backend.fill(t, 0.5);
        return t;
    }

    @Test void listsLongerThanATableTakeSeveralLaunches() {
        List<Tensor> xs = IntStream.range(0, 1500).mapToObj(_ -> written("x", 1)).toList();
        Tensor norm = backend.empty("norm", Spec.f32());
        backend.globalNorm(xs, norm);
        assertEquals(Math.sqrt(1500 * 0.25), backend.toFloats(norm)[0], 1e-4);
    }

    @Test void shapesThatDoNotFitAreRefused() {
        Tensor a = backend.empty("a", Spec.f32(2, 3));
        ShapeException e = assertThrows(ShapeException.class, () -> backend.matmul(a, false, a, false, a));
        assertEquals("matmul: an operand of 1 × [3,3] is required, got 'a' [2,3] F32", e.getMessage());
        assertThrows(ShapeException.class, () -> backend.sumTo(a, 1, backend.empty("y", Spec.f32(2))));
        assertThrows(ShapeException.class, () -> backend.permute(a, new int[] {0, 0}, a));
    }
}
