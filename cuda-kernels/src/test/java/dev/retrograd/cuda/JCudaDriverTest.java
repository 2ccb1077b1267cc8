package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.retrograd.core.BackendProvider;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class JCudaDriverTest {

    @Test void aHostWithoutADriverGetsOneSentenceEachTime() {
        assumeFalse(Files.exists(Path.of("/dev/nvidiactl")), "this host has an NVIDIA device");
        List<BackendProvider> providers = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).toList();
        assertEquals(List.of("cuda"), providers.stream().map(BackendProvider::kind).toList());
        for (int attempt = 0; attempt < 2; attempt++) {
            String message = assertThrows(CudaException.class, () -> providers.getFirst().open(0)).getMessage();
            assertTrue(message.startsWith("cuda: ") && message.contains("use --device cpu") && message.lines().count() == 1, message);
        }
    }
}
