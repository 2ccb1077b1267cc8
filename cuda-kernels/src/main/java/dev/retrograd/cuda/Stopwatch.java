package dev.retrograd.cuda;

/// Times work on a stream, by the device's own clock.
final class Stopwatch {
    private static final int TIMES = 5;

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final CudaDriver.Event start;
    private final CudaDriver.Event end;

    /// Its events last until the driver closes.
    Stopwatch(CudaDriver driver, CudaDriver.Stream stream) {
        this.driver = driver;
        this.stream = stream;
        start = driver.createEvent();
        end = driver.createEvent();
    }

    /// Milliseconds of the fastest of five times, after one that is not counted.
    double millis(Runnable work) {
        work.run();
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < TIMES; i++) {
            driver.record(start, stream);
            work.run();
            driver.record(end, stream);
            best = Math.min(best, driver.elapsedMillis(start, end));
        }
        return best;
    }
}
