package dev.retrograd.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.method.AlignProp;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class BenchmarksTest {

    @Test void everyKernelRunsAndCountsItsWork() {
        AttentionBenchmark attention = new AttentionBenchmark();
        attention.place = AttentionBenchmark.Place.DOWN2_16X16_SELF;
        NormBenchmark norm = new NormBenchmark();
        norm.place = NormBenchmark.Place.DOWN2_16X16_C1280;
        LoraBenchmark lora = new LoraBenchmark();
        lora.place = LoraBenchmark.Place.DOWN2_16X16_C1280;
        assertTrue(counted(attention, attention::forward).flop > 0 && counted(attention, attention::backward).flop > 0);
        assertTrue(counted(norm, norm::groupNormSilu).bytes > 0 && counted(norm, norm::layerNormBackward).bytes > 0);
        assertTrue(counted(lora, lora::forward).flop > 0 && counted(lora, lora::inputGradient).flop > 0);
        ElementwiseBenchmark elementwise = new ElementwiseBenchmark();
        assertTrue(counted(elementwise, elementwise::gegluBackward).bytes > 0 && counted(elementwise, elementwise::resizeBicubic).bytes > 0);
        OptimizerBenchmark optimizer = new OptimizerBenchmark();
        assertTrue(counted(optimizer, optimizer::adamw).bytes > 0 && counted(optimizer, optimizer::normals).bytes > 0);
        JpegBenchmark jpeg = new JpegBenchmark();
        assertTrue(counted(jpeg, jpeg::gradient).bytes > 0);
    }

    private interface Kernel {
        void run(Rate rate);
    }

    private static Rate counted(DeviceBenchmark benchmark, Kernel kernel) {
        Rate rate = new Rate();
        benchmark.backend = "cpu";
        benchmark.open();
        try {
            kernel.run(rate);
        } finally {
            benchmark.close();
        }
        return rate;
    }

    @Test void unknownBackendsAreRefusedByName() {
        assertEquals("backend: must be cpu or a kind of device that the program knows, got tpu", assertThrows(IllegalArgumentException.class, () -> DeviceBenchmark.open("tpu")).getMessage());
        assertEquals("backend: what follows a + must be auto, ptx, hopper, cublas or cudnn, got mkl",
                assertThrows(IllegalArgumentException.class, () -> DeviceBenchmark.open("cuda+cublas+cudnn+mkl")).getMessage());
    }

    @Test void recomputingChangesNoBitAndTakesLessMemory() throws IOException {
        try (EmbeddedModel embedded = EmbeddedModel.unpack(); CpuBackend backend = new CpuBackend()) {
            Miniature.Size size = new Miniature.Size(1, 8, 3, 3);
            long[] peaks = new long[2];
            Miniature.Outcome[] outcomes = new Miniature.Outcome[2];
            for (int i = 0; i < 2; i++) {
                try (Miniature miniature = new Miniature(backend, embedded.files().model(), size, i == 0 ? Segment.Policy.STORE_ALL : AlignProp.RECOMPUTE_OUTERMOST)) {
                    backend.memory().resetPeak();
                    outcomes[i] = miniature.update();
                    peaks[i] = backend.memory().peakBytes();
                }
            }
            assertEquals(outcomes[0], outcomes[1]);
            assertTrue(peaks[1] < peaks[0], peaks[1] + " of " + peaks[0]);
        }
    }
}
