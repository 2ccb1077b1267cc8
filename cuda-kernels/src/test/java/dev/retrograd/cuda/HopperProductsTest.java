package dev.retrograd.cuda;

import static dev.retrograd.cuda.HopperPairs.DEVICE_BYTES;
import static dev.retrograd.cuda.HopperPairs.PRECISIONS;
import static dev.retrograd.cuda.HopperPairs.tensor;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendContract;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.contract.ContractCase;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Products on warpgroups fulfil the contract on the emulator, and agree with those of the baseline's kernels.
class HopperProductsTest {
    private static HopperPairs pairs;

    private final RandomValues random = new RandomValues(5);

    @BeforeAll static void start() {
        pairs = new HopperPairs("matmul_sm90", o -> o.with(BackendOptions.Products.HOPPER));
    }

    @AfterAll static void end() {
        pairs.close();
    }

    /// Without sizes whose rows bulk copies cannot read, which the baseline's kernels do here, too.
    @TestFactory Stream<DynamicTest> contract() {
        return PRECISIONS.stream().flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream()
                .filter(c -> c.family().equals("matrix") && !c.name().matches(".* (7|13|207)")).toList(), (c, seed) -> c.run(pairs.hopper(p), seed)));
    }

    private interface Work {
        Tensor run(CudaBackend b);
    }

    /// Runs on both, and compares: sums of float32 in another order, rounded to 16 bits.
    private static void agree(String what, Precision p, Work work) {
        agree(what, pairs.hopper(p), work);
    }

    private static void agree(String what, CudaBackend hopper, Work work) {
        agree(what, hopper, 1e-5, work);
    }

    /// @param slack beside a rounding, over the largest result
    private static void agree(String what, CudaBackend hopper, double slack, Work work) {
        Precision p = hopper.precision();
        float[] expected = pairs.baseline(p).toFloats(work.run(pairs.baseline(p)));
        float[] got = hopper.toFloats(work.run(hopper));
        HopperPairs.agree(what, p, slack, expected, got);
    }

    private Tensor product(CudaBackend b, Precision p, int[] batch, boolean shared, int m, int n, int k, boolean ta, boolean tb, float[] left, float[] right) {
        Tensor x = tensor(b, p.activations(), left, with(batch, ta ? k : m, ta ? m : k));
        Tensor w = tensor(b, p.activations(), right, with(shared ? new int[0] : batch, tb ? n : k, tb ? k : n));
        Tensor y = b.empty("y", new Spec(Shape.of(with(batch, m, n)), p.activations()));
        b.matmul(x, ta, w, tb, y);
        return y;
    }

    private static int[] with(int[] batch, int rows, int columns) {
        int[] dims = Arrays.copyOf(batch, batch.length + 2);
        dims[batch.length] = rows;
        dims[batch.length + 1] = columns;
        return dims;
    }

    private void compare(int[] batch, boolean shared, int m, int n, int k) {
        int matrices = Arrays.stream(batch).reduce(1, Math::multiplyExact);
        float[] left = random.normal(matrices * m * k);
        float[] right = random.normal((shared ? 1 : matrices) * n * k);
        for (Precision p : PRECISIONS) {
            for (int t = 0; t < 4; t++) {
                boolean ta = (t & 1) != 0;
                boolean tb = (t & 2) != 0;
                agree(m + "x" + n + "x" + k + (ta ? " aᵀ" : "") + (tb ? " bᵀ" : ""), p, b -> product(b, p, batch, shared, m, n, k, ta, tb, left, right));
            }
        }
    }

    @Test void tailsInEveryDirectionAgreeWithTheBaseline() {
        compare(new int[0], false, 136, 392, 72);
        compare(new int[0], false, 128, 256, 64);
        compare(new int[0], false, 8, 16, 8);
    }

    @Test void aLongSumGoesRoundTheRing() {
        compare(new int[0], false, 40, 136, 1040);
    }

    /// On a device whose multiprocessors few blocks would leave idle.
    @Test void aLongSumIsSplitAlsoInABatch() {
        float[] left = random.normal(2 * 24 * 2056);
        float[] right = random.normal(2 * 40 * 2056);
        EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES, 7);
        try (CudaBackend hopper = CudaBackend.open(driver, pairs.options(Precision.BF16))) {
            agree("split", hopper, b -> product(b, Precision.BF16, new int[] {2}, false, 24, 40, 2056, false, true, left, right));
            assertTrue(driver.launched().contains("matmul_sum_splits"), driver.launched().toString());
        }
    }

    @Test void batchesWithOwnAndSharedMatricesAgreeWithTheBaseline() {
        compare(new int[] {2, 2}, false, 72, 136, 24);
        compare(new int[] {3}, true, 16, 24, 40);
    }

    @Test void everyEpilogueAgreesWithTheBaseline() {
        int m = 70;
        int n = 200;
        int k = 136;
        float[] left = random.normal(m * k);
        float[] right = random.normal(2 * n * k);
        float[] bias = random.normal(2 * n);
        float[] rest = random.normal(m * 2 * n);
        for (Precision p : PRECISIONS) {
            DType type = p.activations();
            agree("SiLU", p, b -> {
                Tensor y = b.empty("y", new Spec(Shape.of(m, 2 * n), type));
                b.linearActivated(tensor(b, type, left, m, k), tensor(b, type, right, 2 * n, k), b.floats("bias", Shape.of(2 * n), bias), Unary.SILU, y);
                return y;
            });
            agree("residual", p, b -> {
                Tensor y = tensor(b, type, rest, m, 2 * n);
                b.linearResidual(tensor(b, type, left, m, k), tensor(b, type, right, 2 * n, k), b.floats("bias", Shape.of(2 * n), bias), y, y);
                return y;
            });
            agree("GEGLU", p, b -> {
                Tensor y = b.empty("y", new Spec(Shape.of(m, n), type));
                Tensor hidden = b.empty("hidden", new Spec(Shape.of(m, 2 * n), type));
                b.linearGeglu(tensor(b, type, left, m, k), tensor(b, type, right, 2 * n, k), b.floats("bias", Shape.of(2 * n), bias), hidden, y);
                return y;
            });
        }
    }

    /// What the low-rank part adds is rounded on its own, and is a tenth of a result or so.
    @ParameterizedTest @ValueSource(ints = {4, 20}) void lowRankLayersAgreeWithThoseInOneLaunch(int rank) {
        int m = 70;
        int n = 136;
        int k = 72;
        double scale = 0.02;
        float[] xs = random.normal(m * n);
        float[] ws = random.normal(n * k);
        float[] as = random.normal(rank * k);
        float[] bs = random.normal(n * rank);
        float[] bias = random.normal(n);
        for (Precision p : PRECISIONS) {
            DType type = p.activations();
            double slack = 0.1 * (p == Precision.BF16 ? 0x1p-8 : 0x1p-11);
            EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES);
            try (CudaBackend hopper = CudaBackend.open(driver, pairs.options(p))) {
                for (boolean low : new boolean[] {false, true}) {
                    agree("forward", hopper, slack, b -> {
                        Tensor y = b.empty("y", new Spec(Shape.of(m, n), type));
                        Tensor xa = b.empty("xa", new Spec(Shape.of(m, rank), type));
                        b.loraLinear(tensor(b, type, Arrays.copyOf(xs, m * k), m, k), tensor(b, type, ws, n, k), b.floats("bias", Shape.of(n), bias), tensor(b, type, as, rank, k),
                                tensor(b, type, bs, n, rank), scale, xa, y);
                        return low ? xa : y;
                    });
                    agree("input gradient", hopper, slack, b -> {
                        Tensor dx = b.empty("dx", new Spec(Shape.of(m, k), type));
                        Tensor dxa = b.empty("dxa", new Spec(Shape.of(m, rank), type));
                        b.loraLinearBackwardInput(tensor(b, type, xs, m, n), tensor(b, type, ws, n, k), tensor(b, type, as, rank, k), tensor(b, type, bs, n, rank), scale, dxa, dx);
                        return low ? dxa : dx;
                    });
                }
                for (String product : List.of("kk", "kn")) {
                    assertTrue(driver.launched().stream().anyMatch(l -> l.startsWith("matmul_sm90_" + TensorCores.name(type) + "_" + product)), driver.launched().toString());
                }
                assertTrue(driver.launched().stream().noneMatch(l -> l.startsWith("lora")), driver.launched().toString());
            }
        }
    }

    /// Under `--gemm auto`; what it says of a layer whose update is zero yet holds as well when it is not.
    @Test void lowRankLayersAreDoneByTheFasterWay(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES);
        ScriptedClock clock = new ScriptedClock().then(2, 1).then(1, 2);
        BackendOptions auto = pairs.options(Precision.BF16).with(BackendOptions.Products.AUTO).keeping(Optional.of(run), Optional.empty());
        try (CudaBackend b = CudaBackend.open(clock.on(driver), auto, Providers.Libraries.NONE)) {
            Tensor x = tensor(b, DType.BF16, random.normal(16 * 24), 16, 24);
            Tensor w = tensor(b, DType.BF16, random.normal(40 * 24), 40, 24);
            Tensor down = tensor(b, DType.BF16, random.normal(4 * 24), 4, 24);
            Tensor up = b.zeros("up", new Spec(Shape.of(40, 4), DType.BF16));
            Tensor low = b.empty("low", new Spec(Shape.of(16, 4), DType.BF16));
            Tensor y = b.empty("y", new Spec(Shape.of(16, 40), DType.BF16));
            b.loraLinear(x, w, down, up, 1, low, y);
            b.fill(up, 0.5);
            b.loraLinear(x, w, down, up, 1, low, y);
            b.loraLinearBackwardInput(y, w, down, up, 1, b.empty("dlow", low.spec()), b.empty("dx", x.spec()));
        }
        assertEquals(List.of(), clock.left());
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("lora fwd BF16 BF16 16x40x24 rank 4 = hopper", "lora bwd_input BF16 BF16 16x24x40 rank 4 = ptx"), lines.subList(3, lines.size()));
    }

    @Test void whatBulkCopiesCannotReadGoesToTheBaseline() {
        CudaBackend b = pairs.hopper(Precision.BF16);
        Tensor odd = tensor(b, DType.BF16, random.normal(16 * 12), 16, 12);
        Tensor wide = tensor(b, DType.F32, random.normal(16 * 16), 16, 16);
        Tensor even = tensor(b, DType.BF16, random.normal(16 * 16), 16, 16);
        assertTrue(HopperProducts.takes(DType.BF16, even, even));
        assertEquals(List.of(false, false, false), Stream.of(odd, wide, tensor(b, DType.F16, random.normal(64), 8, 8)).map(t -> HopperProducts.takes(DType.BF16, even, t)).toList());
    }

    @Test void otherDevicesRefuseTheOptionAndTheText() {
        try (EmulatedDriver ampere = new EmulatedDriver(1 << 20)) {
            assertEquals("cuda: --gemm hopper needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0, 0.0 GiB, driver for CUDA 12.6; use --gemm ptx",
                    assertThrows(CudaException.class, () -> CudaBackend.open(ampere, pairs.options(Precision.BF16))).getMessage());
            assertEquals("cuda: module 'matmul_sm90_bf16' was refused: it is for sm_90a only, the device is sm_80",
                    assertThrows(CudaException.class, () -> ampere.load("matmul_sm90_bf16", PtxText.read("matmul_sm90_bf16"))).getMessage());
        }
    }
}
