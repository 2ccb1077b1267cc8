package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.cuda.CudaDriver;
import dev.retrograd.cuda.CudaException;
import org.junit.jupiter.api.Test;

/// Graphs of the emulated driver: work is recorded and not done, and misuse is refused as by a real one.
class CaptureTest {
    private final EmulatedDriver driver = new EmulatedDriver(1 << 20);
    private final CudaDriver.Stream stream = driver.createStream();

    private static void refused(String message, Runnable call) {
        assertEquals(message, assertThrows(CudaException.class, call::run).getMessage());
    }

    @Test void capturedWorkIsDoneWhenItsGraphIsLaunched() {
        long address = driver.allocate(256);
        driver.beginCapture(stream);
        driver.clear(address, 256, stream);
        CudaDriver.Graph graph = driver.endCapture(stream);
        assertEquals(0, driver.submissions());
        driver.launch(graph, stream);
        assertEquals(1, driver.submissions());
        driver.free(graph);
        driver.free(address);
        assertEquals(0, driver.allocations());
    }

    @Test void misuseIsRefused() {
        refused("cuda: a capture that ends must have begun", () -> driver.endCapture(stream));
        driver.beginCapture(stream);
        String busy = "cuda: a stream cannot be waited for, nor captured again, while its work is captured";
        refused(busy, () -> driver.beginCapture(stream));
        refused(busy, () -> driver.synchronize(stream));
        CudaDriver.Graph graph = driver.endCapture(stream);
        driver.free(graph);
        refused("cuda: launch: the graph was freed", () -> driver.launch(graph, stream));
        refused("cuda: free: the graph was freed", () -> driver.free(graph));
    }
}
