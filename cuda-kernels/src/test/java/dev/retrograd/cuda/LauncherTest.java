package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Launches that are recorded and repeated as a graph.
class LauncherTest {
    private final EmulatedDriver driver = new EmulatedDriver(16 << 20);
    private final CudaDriver.Stream stream = driver.createStream();
    private final DevicePool pool = new DevicePool("cuda:0", driver);
    private final Launcher launcher = new Launcher(driver, stream);
    private final ElementwiseKernels kernels = new ElementwiseKernels(launcher);
    private final Transfers transfers = new Transfers(driver, stream);
    private final Tensor x = pool.memory().allocate("x", Spec.f32(100));

    @AfterEach void close() {
        transfers.close();
        pool.close();
        driver.close();
    }

    private void assertAll(float expected) {
        float[] values = new float[100];
        transfers.download(x, MemorySegment.ofArray(values));
        float[] all = new float[100];
        Arrays.fill(all, expected);
        assertArrayEquals(all, values);
    }

    @Test void recordedLaunchesHappenWhenTheyAreRepeated() {
        kernels.fill(x, 1);
        long launches = driver.launches();
        try (Launcher.Recording doubled = launcher.record(() -> {
            kernels.linearCombination(1, new double[] {2}, new Tensor[] {x}, x);
            kernels.linearCombination(0, new double[] {10}, new Tensor[] {x}, x);
        })) {
            assertEquals(launches, driver.launches(), "recording launches nothing");
            assertAll(1);
            doubled.repeat();
            assertAll(30);
            kernels.fill(x, 0);
            doubled.repeat();
            doubled.repeat();
            assertAll(210);
        }
    }

    @Test void recordingThatFailsLeavesTheStreamAsItWas() {
        kernels.fill(x, 1);
        assertThrows(CudaException.class, () -> launcher.record(() -> driver.synchronize(stream)));
        kernels.fill(x, 5);
        assertAll(5);
    }
}
