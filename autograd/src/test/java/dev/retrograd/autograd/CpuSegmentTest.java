package dev.retrograd.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuSegmentTest extends SegmentContract {

    @Override Backend open() {
        return new CpuBackend(CpuBackend.Options.defaults().withPoison());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void gradientsDoNotDependOnTheNumberOfThreads(int threads) {
        Map<String, float[]> expected = gradients(open(), Segment.Policy.STORE_ALL);
        Map<String, float[]> got = gradients(new CpuBackend(CpuBackend.Options.defaults().withThreads(threads)), Segment.Policy.RECOMPUTE_ALL);
        expected.forEach((name, d) -> assertArrayEquals(d, got.get(name), name));
        Map<String, float[]> exact = gradients(new ReferenceBackend(), Segment.Policy.STORE_ALL);
        exact.forEach((name, d) -> Close.relativeL2(name, d, got.get(name), 1e-5));
    }
}
