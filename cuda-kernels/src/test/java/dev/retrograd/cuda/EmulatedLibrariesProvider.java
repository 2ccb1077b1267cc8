package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.cuda.Providers.Libraries;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.Optional;

/// The same on a host that has cuBLAS and cuDNN, or what stands in for them: `--device libraries`.
public final class EmulatedLibrariesProvider extends EmulatedProvider {
    @Override public String kind() {
        return "libraries";
    }

    @Override public Backend open(int ordinal, BackendOptions options) {
        EmulatedDriver driver = driver().lazy();
        return CudaBackend.open(driver, options, new Libraries(Optional.of(new FakeCublas(driver).library()), Optional.of(new FakeCudnn(driver).library())));
    }
}
