package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendProvider;

/// `--device cuda:n`.
public final class CudaProvider implements BackendProvider {

    @Override public String kind() {
        return "cuda";
    }

    /// @throws CudaException if there is no driver, no such device, or one that is too old
    @Override public Backend open(int ordinal) {
        return new CudaBackend(JCudaDriver.open(ordinal), Precision.F32);
    }
}
