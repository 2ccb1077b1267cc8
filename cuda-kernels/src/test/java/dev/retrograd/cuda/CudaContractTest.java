package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.core.BackendContract;
import dev.retrograd.core.Precision;
import dev.retrograd.core.contract.ContractCase;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The CUDA backend fulfils the contract on the emulator, in every precision. One backend of each serves all tests, since reading PTX takes time.
class CudaContractTest {
    private static final long DEVICE_BYTES = 256L << 20;
    /// {@link CudaBackendTest} launches these, {@link VendorProductsTest} the last.
    private static final Set<String> BEYOND_THE_CONTRACT = Set.of("matmul_f16_f32", "matmul_bf16_f32", "matmul_finish");
    private static final Map<Precision, EmulatedDriver> DRIVERS = new EnumMap<>(Precision.class);
    private static final Map<Precision, CudaBackend> BACKENDS = new EnumMap<>(Precision.class);

    @BeforeAll static void start() {
        for (Precision p : Precision.values()) {
            DRIVERS.put(p, new EmulatedDriver(DEVICE_BYTES).lazy());
            BACKENDS.put(p, new CudaBackend(DRIVERS.get(p), p));
        }
    }

    @AfterAll static void end() throws IOException {
        BACKENDS.values().forEach(CudaBackend::close);
        assertEquals(BEYOND_THE_CONTRACT, unlaunched(), "kernels that the contract never launches");
        DRIVERS.forEach((p, d) -> assertEquals(0, d.allocations(), "allocations that the backend left behind in " + p));
        BACKENDS.clear();
        DRIVERS.clear();
    }

    private static Set<String> unlaunched() throws IOException {
        Set<String> names = new TreeSet<>();
        for (Path source : PtxBuild.sources(Path.of(""))) {
            if (!PtxText.hopper(PtxBuild.name(source))) { // HopperProductsTest launches those
                names.addAll(EmulatedDriver.kernels(PtxText.read(PtxBuild.name(source))));
            }
        }
        DRIVERS.values().forEach(d -> names.removeAll(d.launched()));
        return names;
    }

    @TestFactory Stream<DynamicTest> contract() {
        return Arrays.stream(Precision.values())
                .flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p), (c, seed) -> c.run(BACKENDS.get(p), seed)));
    }
}
