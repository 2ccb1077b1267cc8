package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.NoDeviceException;
import java.util.List;

/// `--device cuda:n`.
public final class CudaProvider implements BackendProvider {

    @Override public String kind() {
        return "cuda";
    }

    @Override public List<String> devices() {
        return JCudaDriver.devices().stream().map(Requirements::describe).toList();
    }

    @Override public Backend open(int ordinal) {
        return open(JCudaDriver.open(ordinal));
    }

    /// @param driver closed with the backend, or if the device cannot be used
    static Backend open(CudaDriver driver) {
        try {
            Requirements.device(driver.device());
            Requirements.memory(driver.device(), driver.freeBytes());
        } catch (NoDeviceException e) {
            driver.close();
            throw e;
        }
        return new CudaBackend(driver, Precision.F32);
    }
}
