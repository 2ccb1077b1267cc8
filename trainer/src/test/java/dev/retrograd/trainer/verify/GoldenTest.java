package dev.retrograd.trainer.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.core.cpu.CpuBackend;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The program agrees with upstream on every reference folder of the repository.
class GoldenTest {

    @ParameterizedTest
    @CsvSource({"ci-sd, 102", "ci-alignprop, 268", "optim, 57", "ddpo, 22", "rng, 58", "resize, 7", "ci-rewards, 4"})
    void everyReferenceIsMatched(String folder, int expected) throws IOException {
        List<Outcome> outcomes = new ArrayList<>();
        try (CpuBackend backend = new CpuBackend()) {
            new Verifier(backend, outcomes::add).verify(Golden.path(folder));
            assertEquals(0, backend.memory().liveBytes(), "live bytes when all models are closed");
        }
        List<Outcome> failed = outcomes.stream().filter(o -> !o.passed()).toList();
        assertTrue(failed.isEmpty(), () -> failed.size() + " failed, the first " + failed.getFirst());
        assertEquals(expected, outcomes.size());
    }
}
