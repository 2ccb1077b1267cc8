package dev.retrograd.benchmarks;

import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/// What the machine can do at most: float32 multiply-adds on registers, on all cores at once. Column `flop` is GFLOP/s, of all
/// threads together; run it on its own machine time, as a neighbour on a core lowers it.
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Threads(Threads.MAX)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class PeakBenchmark {
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    private static final int STEPS = 10_000;
    /// Independent chains: enough to cover the latency of a multiply-add (4 or 5 cycles) on two ports.
    private static final int CHAINS = 12;

    /// @return the chains' end, so that nothing is optimised away
    @Benchmark public float multiplyAdd(Rate rate) {
        FloatVector x = FloatVector.broadcast(F, 0.999f);
        FloatVector c0 = FloatVector.zero(F), c1 = c0.add(1), c2 = c0.add(2), c3 = c0.add(3);
        FloatVector c4 = c0.add(4), c5 = c0.add(5), c6 = c0.add(6), c7 = c0.add(7);
        FloatVector c8 = c0.add(8), c9 = c0.add(9), c10 = c0.add(10), c11 = c0.add(11);
        for (int i = 0; i < STEPS; i++) {
            c0 = c0.fma(x, x);
            c1 = c1.fma(x, x);
            c2 = c2.fma(x, x);
            c3 = c3.fma(x, x);
            c4 = c4.fma(x, x);
            c5 = c5.fma(x, x);
            c6 = c6.fma(x, x);
            c7 = c7.fma(x, x);
            c8 = c8.fma(x, x);
            c9 = c9.fma(x, x);
            c10 = c10.fma(x, x);
            c11 = c11.fma(x, x);
        }
        rate.flop += 2L * CHAINS * F.length() * STEPS;
        return c0.add(c1).add(c2).add(c3).add(c4).add(c5).add(c6).add(c7).add(c8).add(c9).add(c10).add(c11).lane(0);
    }
}
