package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Tiles;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Tiles are chosen by a table where the architecture is known, and by a measurement that is kept where it is not.
class TileSpeedsTest {
    private static final int MULTIPROCESSORS = 50;
    private static final int UNKNOWN = 133;
    /// Milliseconds of the product that fills every multiprocessor with tiles of a shape.
    private static final Map<String, Float> MILLIS = Map.of("Tile128x128", 4f, "Tile128x64", 1f, "Tile64x64", 0.9f, "Tile64x32", 1.6f);

    private final EmulatedDriver emulated = new EmulatedDriver(256L << 20);
    private final List<String> launched = new ArrayList<>();

    /// A device of an architecture, on which products do nothing but take time.
    private CudaDriver device(int computeCapability) {
        return (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
            switch (method.getName()) {
                case "device":
                    return new CudaDriver.Device(0, "thing", 12060, computeCapability, 256L << 20, MULTIPROCESSORS, 99 << 10);
                case "elapsedMillis":
                    return MILLIS.get(launched.getLast().replaceFirst(".*_", ""));
                case "launch":
                    launched.add(((CudaDriver.Kernel) arguments[0]).name());
                    return null;
                default:
                    try {
                        return method.invoke(emulated, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
            }
        });
    }

    /// The kernel that a product of few results is launched with.
    private String product(int computeCapability, Tiles tiles, Optional<Path> choices, Optional<Path> cache) {
        launched.clear();
        BackendOptions options = BackendOptions.of(Assertions::fail).withGraphs(false).with(tiles).keeping(choices, cache);
        try (CudaBackend b = CudaBackend.open(device(computeCapability), options)) {
            Tensor x = b.empty("x", new Spec(Shape.of(1024, 64), DType.BF16));
            Tensor w = b.empty("w", new Spec(Shape.of(1024, 64), DType.BF16));
            b.matmul(x, false, w, true, b.empty("y", new Spec(Shape.of(1024, 1024), DType.BF16)));
        }
        assertEquals(0, emulated.allocations(), "what was measured with was given back");
        return launched.getLast();
    }

    @Test void aKnownArchitectureIsNotMeasured() {
        for (int known : new int[] {80, 86, 89, 90, 100, 120}) {
            assertTrue(TileSpeeds.known(known).isPresent(), "architecture " + known);
            product(known, Tiles.AUTO, Optional.empty(), Optional.empty());
            assertEquals(1, launched.size(), "launches on architecture " + known);
        }
        product(UNKNOWN, Tiles.TABLE, Optional.empty(), Optional.empty());
        assertEquals(1, launched.size());
        product(90, Tiles.MEASURED, Optional.empty(), Optional.empty());
        assertTrue(launched.size() > Tile.values().length, "measured if asked for");
    }

    @Test void anUnknownOneIsMeasuredOnceAndTheFastestTileTaken(@TempDir Path folder) throws IOException {
        Optional<Path> choices = Optional.of(folder.resolve("kernel-choices.txt"));
        Optional<Path> cache = Optional.of(folder.resolve("cache"));
        // 64 x 64 results take 0.9 ms where 128 x 128, four times as many, take 4.
        assertEquals("matmul_bf16_kk_Tile128x64", product(UNKNOWN, Tiles.AUTO, choices, cache));
        assertEquals("tiles bf16 = 0.50 1.00 0.55 0.15", Files.readAllLines(choices.get()).getLast());
        assertTrue(launched.size() > Tile.values().length);
        for (int again = 0; again < 2; again++) {
            assertEquals("matmul_bf16_kk_Tile128x64", product(UNKNOWN, Tiles.AUTO, choices, cache));
            assertEquals(1, launched.size(), "nothing is measured again");
            Files.deleteIfExists(choices.get());
        }
    }

    @Test void speedsAreReadAsTheyAreWrittenAndNothingElseIs() {
        TileSpeeds speeds = TileSpeeds.measured(t -> t.rows());
        assertEquals("1.00 1.00 0.50 0.50", speeds.toString());
        assertEquals(Optional.of(speeds), TileSpeeds.parse(speeds.toString()));
        for (String other : List.of("", "1.00 1.00 0.50", "1.00 1.00 0.50 0.00", "1.00 1.00 0.50 1.50", "1.00 1.00 0.50 NaN", "1 1 1 1")) {
            assertEquals(Optional.empty(), TileSpeeds.parse(other), other);
        }
    }
}
