package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.NoDeviceException;
import dev.retrograd.core.Precision;
import java.util.List;

/// `--device cuda:n`.
public final class CudaProvider implements BackendProvider {
    static final List<Precision> PRECISIONS = List.of(Precision.values());

    @Override public String kind() {
        return "cuda";
    }

    @Override public List<String> devices() {
        return JCudaDriver.devices().stream().map(Requirements::describe).toList();
    }

    /// All of them, from compute capability 8.0 on, which is the least that is taken.
    @Override public List<Precision> precisions() {
        return PRECISIONS;
    }

    @Override public Backend open(int ordinal, BackendOptions options) {
        return open(JCudaDriver.open(ordinal), options);
    }

    /// @param driver closed with the backend, or if the device cannot be used
    /// @throws CudaException if a library that was asked for is missing
    static Backend open(CudaDriver driver, BackendOptions options) {
        try {
            Requirements.device(driver.device());
            Requirements.memory(driver.device(), driver.freeBytes());
            return CudaBackend.open(driver, options);
        } catch (NoDeviceException | CudaException e) {
            driver.close();
            throw e;
        }
    }
}
