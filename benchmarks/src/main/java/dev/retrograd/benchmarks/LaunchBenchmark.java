package dev.retrograd.benchmarks;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.cuda.CudaBackend;
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

/// The host's share of an AlignProp update on a GPU: the miniature's at batch 1 (which has the topology of Stable Diffusion 1.5) in bf16, on a driver that does
/// nothing. Time over launches is what a launch costs the JVM; what a real driver's call costs comes on top for each submission.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 30)
@Measurement(iterations = 20)
public class LaunchBenchmark {
    private static final int STEPS = 10;
    private static final int KEPT = 5;

    @Param({"true", "false"}) public boolean graphs;

    private final NullDriver driver = new NullDriver();
    private EmbeddedModel embedded;
    private CudaBackend device;
    private Miniature miniature;

    /// Kernels of an update, and how often the driver was called for them.
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.EVENTS)
    public static class Calls {
        public long launches;
        public long submissions;
    }

    @Setup(Level.Trial) public void open() throws IOException {
        embedded = EmbeddedModel.unpack();
        device = CudaBackend.open(driver, BackendOptions.of(System.out::println).withGraphs(graphs));
        miniature = new Miniature(device, embedded.files().model(), new Miniature.Size(1, 8, STEPS, KEPT), AlignProp.RECOMPUTE_OUTERMOST);
    }

    @TearDown(Level.Trial) public void close() throws IOException {
        miniature.close();
        device.close();
        embedded.close();
    }

    @Benchmark public double update(Calls calls) {
        long launches = device.launches();
        long submissions = driver.submissions();
        double loss = miniature.update().loss();
        calls.launches += device.launches() - launches;
        calls.submissions += driver.submissions() - submissions;
        return loss;
    }
}
