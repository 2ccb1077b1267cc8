package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.Precision;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.Collections;
import java.util.List;

/// Two devices of the CUDA backend on the PTX emulator, whose streams work as late as they may (the first) or in any order that events allow (the second), for tests of other modules that name it in `META-INF/services`: `--device emulated`.
public class EmulatedProvider implements BackendProvider {
    private static final int DEVICES = 2;
    static final long DEVICE_BYTES = 4L << 30;

    @Override public String kind() {
        return "emulated";
    }

    EmulatedDriver driver() {
        return new EmulatedDriver(DEVICE_BYTES);
    }

    @Override public List<String> devices() {
        return Collections.nCopies(DEVICES, Requirements.describe(driver().device()));
    }

    @Override public List<Precision> precisions() {
        return new CudaProvider().precisions();
    }

    @Override public Backend open(int ordinal, BackendOptions options) {
        Requirements.present(kind(), ordinal, DEVICES);
        return CudaProvider.open(ordinal == 0 ? driver().lazy() : driver().shuffled(ordinal), options);
    }
}
