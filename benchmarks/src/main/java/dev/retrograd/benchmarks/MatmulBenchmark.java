package dev.retrograd.benchmarks;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import java.util.concurrent.TimeUnit;
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

/// Float32 matrix products over all cores. Column `flop` is GFLOP/s; compare with {@link PeakBenchmark}.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class MatmulBenchmark {

    /// A product `[M,K]·[K,N]`.
    public enum Place {
        SQUARE_256(256, 256, 256),
        SQUARE_1024(1024, 1024, 1024),
        SQUARE_2048(2048, 2048, 2048),
        DOWN0_64X64_TO_Q(4096, 320, 320),
        DOWN0_64X64_GEGLU(4096, 2560, 320),
        DOWN1_32X32_CONV3X3(1024, 640, 5760),
        MID_16X16_CONV3X3(256, 1280, 11520),
        TEXT_77_MLP(77, 768, 3072),
        TIME_EMBEDDING(2, 1280, 1280),
        DOWN0_64X64_LORA_DOWN(4096, 4, 320),
        MINIATURE_16X16_CONV3X3(512, 64, 576);

        final int m;
        final int n;
        final int k;

        Place(int m, int n, int k) {
            this.m = m;
            this.n = n;
            this.k = k;
        }
    }

    @Param public Place place;

    private Backend backend;
    private Tensor x;
    private Tensor w;
    private Tensor y;
    private Tensor dw;

    /// @throws IllegalStateException if a product is wrong
    @Setup(Level.Trial) public void prepare() {
        backend = new CpuBackend();
        RandomTensors tensors = new RandomTensors(backend);
        x = tensors.next(place.m, place.k);
        w = tensors.next(place.n, place.k);
        y = tensors.next(place.m, place.n);
        dw = tensors.next(place.n, place.k);
        float[] xs = backend.toFloats(x);
        float[] ws = backend.toFloats(w);
        float[] dys = backend.toFloats(y);
        backend.matmul(y, true, x, false, dw);
        tensors.check("dyᵀ·x", backend.toFloats(dw),
                i -> sum(dys, i / place.k, place.n, xs, i % place.k, place.k, place.m));
        backend.matmul(x, false, w, true, y);
        tensors.check("x·wᵀ", backend.toFloats(y),
                i -> sum(xs, i / place.n * place.k, 1, ws, i % place.n * place.k, 1, place.k));
    }

    private static double sum(float[] a, int atA, int stepA, float[] b, int atB, int stepB, int count) {
        double sum = 0;
        for (int p = 0; p < count; p++) {
            sum += (double) a[atA + p * stepA] * b[atB + p * stepB];
        }
        return sum;
    }

    @TearDown(Level.Trial) public void close() {
        backend.close();
    }

    /// `y = x·wᵀ`, a linear layer.
    @Benchmark public void forward(Rate rate) {
        backend.matmul(x, false, w, true, y);
        count(rate);
    }

    /// `dx = dy·w`, its input gradient.
    @Benchmark public void inputGradient(Rate rate) {
        backend.matmul(y, false, w, false, x);
        count(rate);
    }

    /// `dw = dyᵀ·x`, its weight gradient.
    @Benchmark public void weightGradient(Rate rate) {
        backend.matmul(y, true, x, false, dw);
        count(rate);
    }

    private void count(Rate rate) {
        rate.flop += 2L * place.m * place.n * place.k;
    }
}
