package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/// The CUDA backend fulfils the contract on the emulator. One backend serves all tests, since reading PTX takes time.
class CudaContractTest extends BackendContract {
    private static final long DEVICE_BYTES = 256L << 20;
    private static EmulatedDriver driver;
    private static Backend backend;

    @BeforeAll static void start() {
        driver = new EmulatedDriver(DEVICE_BYTES);
        backend = new CudaBackend(driver);
    }

    @AfterAll static void end() {
        backend.close();
        assertEquals(0, driver.allocations(), "allocations that the backend left behind");
    }

    @Override protected Backend open() {
        return backend;
    }

    @Override protected void close(Backend tested) {
        // serves the next test
    }
}
