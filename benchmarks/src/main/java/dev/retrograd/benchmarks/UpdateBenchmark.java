package dev.retrograd.benchmarks;

import dev.retrograd.autograd.Segment;
import dev.retrograd.core.Backend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.method.AlignProp;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Time and peak memory of an AlignProp update of the miniature, two images of 64×64 in ten steps, by K and by what is stored: the peak does not grow with K where
/// denoising steps are recomputed, and grows where all is stored.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 5)
@Measurement(iterations = 1, batchSize = 5)
public class UpdateBenchmark {
    private static final int STEPS = 10;
    private static final int IMAGES = 2;

    /// What the tape keeps.
    public enum Policy {
        STORE(Segment.Policy.STORE_ALL),
        RECOMPUTE_OUTERMOST(AlignProp.RECOMPUTE_OUTERMOST),
        RECOMPUTE_ALL(Segment.Policy.RECOMPUTE_ALL);

        final Segment.Policy policy;

        Policy(Segment.Policy policy) {
            this.policy = policy;
        }
    }

    @Param("cpu") public String backend;
    @Param({"1", "5", "10"}) public int k;
    @Param public Policy policy;

    private EmbeddedModel embedded;
    private Backend device;
    private Miniature miniature;

    /// Live bytes at most: weights, LoRA, optimiser, activations. Set, not counted, in the one iteration that is measured.
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.EVENTS)
    public static class Peak {
        public long peakBytes;
    }

    @Setup(Level.Trial) public void open() throws IOException {
        embedded = EmbeddedModel.unpack();
        device = DeviceBenchmark.open(backend);
        miniature = new Miniature(device, embedded.files().model(), new Miniature.Size(IMAGES, 8, STEPS, k), policy.policy);
    }

    @TearDown(Level.Trial) public void close() throws IOException {
        miniature.close();
        device.close();
        embedded.close();
    }

    /// Five updates.
    @Benchmark public double update(Peak peak) {
        device.memory().resetPeak();
        double loss = miniature.update().loss();
        peak.peakBytes = device.memory().peakBytes();
        return loss;
    }
}
