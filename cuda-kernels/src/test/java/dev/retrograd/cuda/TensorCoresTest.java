package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What the contract does not see of products on tensor cores: how many launches they are, which tile is taken, and what is refused.
class TensorCoresTest {
    private static final int H100 = 132;
    private static final long WORKSPACE = 8 << 20;
    private final EmulatedDriver driver = new EmulatedDriver(16 << 20);
    private final CudaBackend backend = new CudaBackend(driver, Precision.BF16);
    private final RandomValues random = new RandomValues(7);

    @AfterEach void close() {
        backend.close();
        assertEquals(0, driver.allocations());
    }

    private Tensor single(int... dims) {
        Shape shape = Shape.of(dims);
        return backend.floats("single", shape, random.normal(shape.elements()));
    }

    private Tensor half(int... dims) {
        Tensor wide = single(dims);
        Tensor t = backend.empty("half", wide.spec().with(DType.BF16));
        backend.convert(wide, t);
        return t;
    }

    private Tensor output(DType type, int... dims) {
        return backend.empty("output", new Spec(Shape.of(dims), type));
    }

    private long launches(Runnable kernel) {
        long before = driver.launches();
        kernel.run();
        return driver.launches() - before;
    }

    @Test void aLoraLinearLayerIsOneLaunchForwardAndOneForTheInputsGradient() {
        Tensor x = half(2, 9, 24);
        Tensor w = half(40, 24);
        Tensor bias = single(40);
        Tensor a = single(4, 24);
        Tensor b = single(40, 4);
        Tensor xa = output(DType.BF16, 2, 9, 4);
        Tensor y = output(DType.BF16, 2, 9, 40);
        assertEquals(1, launches(() -> backend.loraLinear(x, w, bias, a, b, 0.5, xa, y)));
        assertEquals(1, launches(() -> backend.loraLinear(x, w, a, b, 0.5, xa, y)));
        Tensor dxa = output(DType.BF16, 2, 9, 4);
        Tensor dx = output(DType.BF16, 2, 9, 24);
        assertEquals(1, launches(() -> backend.loraLinearBackwardInput(y, w, a, b, 0.5, dxa, dx)));
        assertEquals(1, launches(() -> backend.linearResidual(x, w, bias, y, y)));
    }

    @Test void aSplitSumIsTheSameOnEveryRun() {
        Tensor a = half(3000, 5);
        Tensor b = half(3000, 7);
        Tensor first = output(DType.F32, 5, 7);
        Tensor second = output(DType.F32, 5, 7);
        assertEquals(2, launches(() -> backend.matmul(a, true, b, false, first)), "a product and the sum of its parts");
        backend.matmul(a, true, b, false, second);
        backend.binary(Binary.SUB, first, second, second);
        for (float difference : backend.toFloats(second)) {
            assertEquals(0, difference);
        }
    }

    @Test void twoTypesOf16BitsAreRefused() {
        Tensor half = backend.empty("half", new Spec(Shape.of(8, 8), DType.F16));
        Tensor y = output(DType.BF16, 8, 8);
        DTypeException e = assertThrows(DTypeException.class, () -> backend.matmul(half, false, y, false, y));
        assertTrue(e.getMessage().startsWith("matmul: operands must be F32 or one type of 16 bits, got ['half' [8,8] F16,"), e.getMessage());
    }

    @Test void theTileFollowsTheProblemAndTheDevice() {
        assertEquals(Tile.T128X128, Tile.choose(32768, 2560, 1, H100, TileSpeeds.table(90), Tile.values()), "many results");
        assertEquals(Tile.T64X32, Tile.choose(40, 20, 1, H100, TileSpeeds.table(90), Tile.values()), "few results");
        assertEquals(Tile.T64X64, Tile.choose(256, 1280, 1, H100, TileSpeeds.table(90), Tile.values()), "results for less than one block of each multiprocessor");
        Set<Tile> taken = EnumSet.noneOf(Tile.class);
        for (int m = 64; m <= 8192; m *= 2) {
            for (int n = 32; n <= 2560; n += 32) {
                taken.add(Tile.choose(m, n, 1, H100, TileSpeeds.table(90), Tile.values()));
            }
        }
        assertEquals(EnumSet.allOf(Tile.class), taken);
    }

    @Test void longSumsOfFewResultsAreSplitWithinTheWorkspace() {
        assertEquals(26, Tile.T64X32.splits(4, 320, 8192, 1, H100, WORKSPACE), "10 tiles for 132 multiprocessors, two each");
        assertEquals(8, Tile.T64X32.splits(4, 320, 8192, 1, H100, 8L * 4 * 320 * Float.BYTES), "as many as the workspace holds");
        assertEquals(1, Tile.T64X64.splits(4096, 640, 8192, 1, H100, WORKSPACE), "enough tiles");
        assertEquals(2, Tile.T64X32.splits(4, 32, 256, 1, H100, WORKSPACE), "128 products at least");
        assertEquals(1, Tile.T64X32.splits(4, 32, 8192, 1, H100, 0), "no workspace");
    }
}
