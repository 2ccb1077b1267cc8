package dev.retrograd.core.cpu;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;

/// The CPU backend fulfils the contract, on more threads than a small machine has cores.
class CpuContractTest extends BackendContract {

    @Override protected Backend open() {
        return new CpuBackend(CpuBackend.Options.defaults().withThreads(3).withPoison());
    }
}
