package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class JCudaDriverTest {

    @Test void aHostWithoutADriverGetsOneSentenceEachTime() {
        assumeFalse(Files.exists(Path.of("/dev/nvidiactl")), "this host has an NVIDIA device");
        for (int attempt = 0; attempt < 2; attempt++) {
            String message = assertThrows(CudaException.class, () -> JCudaDriver.open(0)).getMessage();
            assertTrue(message.startsWith("cuda: ") && message.contains("use --device cpu") && message.lines().count() == 1, message);
        }
    }
}
