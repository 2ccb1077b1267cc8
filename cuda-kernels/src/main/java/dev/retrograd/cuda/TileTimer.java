package dev.retrograd.cuda;

import dev.retrograd.core.DType;

/// Measures how fast a device is with each shape of tiles: a product that gives every multiprocessor the same whole number of tiles.
final class TileTimer {
    /// Tiles of each multiprocessor.
    private static final int ROUNDS = 4;
    private static final int K = 1024;

    private final Launcher launcher;
    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final DType type;
    private final Stopwatch stopwatch;

    /// @param type that is multiplied in, F32 for tf32
    TileTimer(Launcher launcher, CudaDriver driver, CudaDriver.Stream stream, DType type) {
        this.launcher = launcher;
        this.driver = driver;
        this.stream = stream;
        this.type = type;
        stopwatch = new Stopwatch(driver, stream);
    }

    TileSpeeds measure() {
        return TileSpeeds.measured(this::resultsPerMilli);
    }

    private double resultsPerMilli(Tile tile) {
        int m = tile.rows() * driver.device().multiprocessors();
        int n = tile.columns() * ROUNDS;
        long a = zeros(m * (long) K);
        long b = zeros(n * (long) K);
        long y = zeros(m * (long) n);
        try {
            String module = "matmul_" + TensorCores.name(type);
            double millis = stopwatch.millis(() -> {
                launcher.arguments().i64s(TensorCores.plain(type, a, m, K)).i64s(TensorCores.plain(type, b, n, K)).i64s(TensorCores.store(type, y, n)).i32s(m, n, K, 1);
                launcher.launch(module, module + "_kk_" + tile.suffix(), tile.grid(m, n, 1, 1));
            });
            return m * (double) n / millis;
        } finally {
            driver.free(a);
            driver.free(b);
            driver.free(y);
        }
    }

    private long zeros(long elements) {
        long address = driver.allocate(elements * type.bytes());
        driver.clear(address, elements * type.bytes(), stream);
        return address;
    }
}
