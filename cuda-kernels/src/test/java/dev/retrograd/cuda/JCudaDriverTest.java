package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.NoDeviceException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class JCudaDriverTest {

    @Test void aHostWithoutADriverGetsOneSentenceEachTime() {
        assumeTrue(System.getProperty("os.name").equals("Linux") && !Files.exists(Path.of("/dev/nvidiactl")), "this host has an NVIDIA device");
        BackendProvider provider = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).filter(p -> p.kind().equals("cuda")).findFirst().orElseThrow();
        for (int attempt = 0; attempt < 2; attempt++) {
            assertEquals("cuda: no NVIDIA driver was found (libcuda.so.1)", assertThrows(NoDeviceException.class, () -> provider.open(0, BackendOptions.of(Assertions::fail))).getMessage());
            assertThrows(NoDeviceException.class, () -> provider.devices());
        }
    }
}
