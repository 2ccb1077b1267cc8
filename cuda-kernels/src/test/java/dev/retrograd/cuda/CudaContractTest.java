package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.core.AttentionContract;
import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;
import dev.retrograd.core.ContractBase;
import dev.retrograd.core.ConvolutionContract;
import dev.retrograd.core.DType;
import dev.retrograd.core.ElementwiseContract;
import dev.retrograd.core.ImageContract;
import dev.retrograd.core.MatrixContract;
import dev.retrograd.core.NormContract;
import dev.retrograd.core.Precision;
import dev.retrograd.core.ReductionContract;
import dev.retrograd.core.ShapeContract;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;

/// The CUDA backend fulfils the contract on the emulator, in every precision. One backend of each serves all tests, since reading PTX takes time.
class CudaContractTest {
    private static final long DEVICE_BYTES = 256L << 20;
    /// {@link CudaBackendTest} launches these.
    private static final Set<String> BEYOND_THE_CONTRACT = Set.of("matmul_f16_f32", "matmul_bf16_f32");
    private static final Map<Precision, EmulatedDriver> DRIVERS = new EnumMap<>(Precision.class);
    private static final Map<Precision, CudaBackend> BACKENDS = new EnumMap<>(Precision.class);

    @BeforeAll static void start() {
        for (Precision p : Precision.values()) {
            DRIVERS.put(p, new EmulatedDriver(DEVICE_BYTES));
            BACKENDS.put(p, new CudaBackend(DRIVERS.get(p), p));
        }
    }

    @AfterAll static void end() throws IOException {
        BACKENDS.values().forEach(CudaBackend::close);
        assertEquals(BEYOND_THE_CONTRACT, unlaunched(), "kernels that the contract never launches");
        DRIVERS.forEach((p, d) -> assertEquals(0, d.allocations(), "allocations that the backend left behind in " + p));
        BACKENDS.clear();
        DRIVERS.clear();
    }

    private static Set<String> unlaunched() throws IOException {
        Set<String> names = new TreeSet<>();
        for (Path source : PtxBuild.sources(Path.of(""))) {
            names.addAll(EmulatedDriver.kernels(PtxText.read(PtxBuild.name(source))));
        }
        DRIVERS.values().forEach(d -> names.removeAll(d.launched()));
        return names;
    }

    @Nested class InFloat32 extends BackendContract {
        @Override protected Backend open() {
            return BACKENDS.get(Precision.F32);
        }

        @Override protected void close(Backend tested) {
            // serves the next test
        }
    }

    @Nested class InBfloat16 extends SixteenBits {
        InBfloat16() {
            super(Precision.BF16);
        }
    }

    @Nested class InFloat16 extends SixteenBits {
        InFloat16() {
            super(Precision.FP16);
        }
    }

    /// Products of operands rounded to 11 bits of mantissa, for which the contract's naive computation has no type. A rounding is wrong by 2⁻¹¹ at most, and
    /// the gradient of a low-rank matrix is a product of four rounded numbers, in which other terms may cancel.
    @Nested class InTf32 extends ContractBase implements MatrixContract, ConvolutionContract {
        private static final double TWICE_THE_ERROR_OF_TWO_PRODUCTS = 4e-3;

        @Override protected Backend open() {
            return BACKENDS.get(Precision.TF32);
        }

        @Override protected void close(Backend tested) {
            // serves the next test
        }

        @Override protected double slack() {
            return TWICE_THE_ERROR_OF_TWO_PRODUCTS;
        }
    }

    /// The families whose activations may have 16 bits.
    abstract static class SixteenBits extends ContractBase implements ElementwiseContract, ReductionContract, MatrixContract, ConvolutionContract, AttentionContract,
            NormContract, ShapeContract, ImageContract {
        private final Precision precision;

        SixteenBits(Precision precision) {
            this.precision = precision;
        }

        @Override protected Backend open() {
            return BACKENDS.get(precision);
        }

        @Override protected void close(Backend tested) {
            // serves the next test
        }

        @Override protected DType activations() {
            return precision.activations();
        }
    }
}
