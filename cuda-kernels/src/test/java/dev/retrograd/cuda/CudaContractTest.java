package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/// The CUDA backend fulfils the contract on the emulator. One backend serves all tests, since reading PTX takes time.
class CudaContractTest extends BackendContract {
    private static final long DEVICE_BYTES = 256L << 20;
    /// {@link CudaBackendTest} launches these.
    private static final Set<String> BEYOND_THE_CONTRACT = Set.of("matmul_f16_f32", "matmul_bf16_f32");
    private static EmulatedDriver driver;
    private static Backend backend;

    @BeforeAll static void start() {
        driver = new EmulatedDriver(DEVICE_BYTES);
        backend = new CudaBackend(driver);
    }

    @AfterAll static void end() throws IOException {
        backend.close();
        assertEquals(BEYOND_THE_CONTRACT, unlaunched(), "kernels that the contract never launches");
        assertEquals(0, driver.allocations(), "allocations that the backend left behind");
    }

    private static Set<String> unlaunched() throws IOException {
        Set<String> names = new TreeSet<>();
        for (Path source : PtxBuild.sources(Path.of(""))) {
            names.addAll(EmulatedDriver.kernels(PtxBuild.read(Path.of(""), source)));
        }
        names.removeAll(driver.launched());
        return names;
    }

    @Override protected Backend open() {
        return backend;
    }

    @Override protected void close(Backend tested) {
        // serves the next test
    }
}
