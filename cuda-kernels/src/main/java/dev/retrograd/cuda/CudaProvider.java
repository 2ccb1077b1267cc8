package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.NoDeviceException;
import dev.retrograd.core.Precision;
import java.util.List;
import java.util.Optional;

/// `--device cuda:n`.
public final class CudaProvider implements BackendProvider {

    @Override public String kind() {
        return "cuda";
    }

    @Override public List<String> devices() {
        return JCudaDriver.devices().stream().map(Requirements::describe).toList();
    }

    /// All of them, from compute capability 8.0 on, which is the least that is taken.
    @Override public List<Precision> precisions() {
        return List.of(Precision.values());
    }

    @Override public Backend open(int ordinal, Optional<Precision> precision) {
        return open(JCudaDriver.open(ordinal), precision.orElse(precisions().getFirst()));
    }

    /// @param driver closed with the backend, or if the device cannot be used
    static Backend open(CudaDriver driver, Precision precision) {
        try {
            Requirements.device(driver.device());
            Requirements.memory(driver.device(), driver.freeBytes());
        } catch (NoDeviceException e) {
            driver.close();
            throw e;
        }
        return new CudaBackend(driver, precision);
    }
}
