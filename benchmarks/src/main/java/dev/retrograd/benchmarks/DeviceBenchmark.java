package dev.retrograd.benchmarks;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Attention;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
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

/// A kernel on a device, over all of it. Columns `flop` and `bytes` are GFLOP/s and GB/s; compare with {@link CeilingBenchmark}, as the command
/// `report` does.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public abstract class DeviceBenchmark {
    private static final String CPU = "cpu";

    /// `cpu` or the kind of another device: `cuda`, its first one. `cuda+cublas`, `cuda+cudnn` and `cuda+hopper` have cuBLAS, cuDNN or the kernels for compute capability 9.0 do what
    /// they can, `cuda+auto` the fastest; `-f 0 -p backend=cuda,cuda+cublas` measures both in one process.
    @Param(CPU) public String backend;

    Backend device;
    RandomTensors tensors;

    /// @throws IllegalArgumentException if there is no backend of that kind
    @Setup(Level.Trial) public void open() {
        device = open(backend);
        tensors = new RandomTensors(device);
        prepare();
    }

    static Backend open(String kind) {
        if (kind.equals(CPU)) {
            return new CpuBackend();
        }
        String[] parts = kind.split("\\+");
        BackendOptions options = BackendOptions.of(System.out::println);
        for (String who : Arrays.asList(parts).subList(1, parts.length)) {
            options = with(options, who.toUpperCase(Locale.ROOT));
        }
        return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).filter(p -> p.kind().equals(parts[0])).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("backend: must be cpu or a kind of device that the program knows, got " + kind)).open(0, options);
    }

    private static BackendOptions with(BackendOptions options, String who) {
        Optional<Products> products = Stream.of(Products.values()).filter(p -> p.name().equals(who)).findFirst();
        Optional<Convolutions> convolutions = Stream.of(Convolutions.values()).filter(c -> c.name().equals(who)).findFirst();
        Optional<Attention> attention = Stream.of(Attention.values()).filter(a -> a.name().equals(who)).findFirst();
        if (products.isEmpty() && convolutions.isEmpty()) {
            throw new IllegalArgumentException("backend: what follows a + must be auto, ptx, hopper, cublas or cudnn, got " + who.toLowerCase(Locale.ROOT));
        }
        BackendOptions some = products.map(options::with).orElse(options);
        BackendOptions more = convolutions.map(some::with).orElse(some);
        return attention.map(more::with).orElse(more);
    }

    /// Makes the operands, and checks a result.
    abstract void prepare();

    @TearDown(Level.Trial) public void close() {
        device.close();
    }

    /// To be called at the end of a run.
    void ran(Rate rate, double flop, Tensor... touched) {
        device.synchronize();
        rate.flop += (long) flop;
        for (Tensor t : touched) {
            rate.bytes += t.spec().bytes();
        }
    }
}
