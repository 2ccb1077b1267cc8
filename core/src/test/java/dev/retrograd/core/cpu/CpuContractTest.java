package dev.retrograd.core.cpu;

import dev.retrograd.core.BackendContract;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The CPU backend fulfils the contract, on more threads than a small machine has cores.
class CpuContractTest {

    @TestFactory Stream<DynamicTest> contract() {
        return BackendContract.tests(() -> new CpuBackend(CpuBackend.Options.defaults().withThreads(3).withPoison()));
    }
}
