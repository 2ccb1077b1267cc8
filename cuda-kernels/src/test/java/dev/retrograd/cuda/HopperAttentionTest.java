package dev.retrograd.cuda;

import static dev.retrograd.cuda.HopperPairs.DEVICE_BYTES;
import static dev.retrograd.cuda.HopperPairs.PRECISIONS;
import static dev.retrograd.cuda.HopperPairs.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.BackendContract;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.contract.ContractCase;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Attention on warpgroups fulfils the contract on the emulator, and agrees with that of the baseline's kernels.
class HopperAttentionTest {
    private static HopperPairs pairs;

    private final RandomValues random = new RandomValues(5);

    @BeforeAll static void start() {
        pairs = new HopperPairs("attention_sm90", o -> o.with(BackendOptions.Attention.HOPPER));
    }

    @AfterAll static void end() {
        pairs.close();
    }

    @TestFactory Stream<DynamicTest> contract() {
        return PRECISIONS.stream().flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream().filter(c -> c.family().equals("attention")).toList(), (c, seed) -> c.run(pairs.hopper(p), seed)));
    }

    /// What attention gives: its result, the rows' logarithms, and the gradients by a result's gradient.
    private record Result(float[] y, float[] logSumExp, float[] dq, float[] dk, float[] dv) {
    }

    private static Result attend(CudaBackend b, AttentionSpec spec, DType type, int batch, int rows, int keys, float[] q, float[] k, float[] v, float[] dy) {
        int channels = q.length / (batch * rows);
        Tensor queries = tensor(b, type, q, batch, rows, channels);
        Tensor keys16 = tensor(b, type, k, batch, keys, channels);
        Tensor values = tensor(b, type, v, batch, keys, channels);
        Tensor y = b.empty("y", new Spec(Shape.of(batch, rows, channels), type));
        Tensor logSumExp = b.empty("logSumExp", Spec.f32(batch, spec.heads(), rows));
        b.attention(spec, queries, keys16, values, y, logSumExp);
        Tensor delta = b.empty("delta", logSumExp.spec());
        Tensor dq = b.empty("dq", queries.spec());
        Tensor dk = b.empty("dk", keys16.spec());
        Tensor dv = b.empty("dv", values.spec());
        b.attentionBackward(spec, queries, keys16, values, y, logSumExp, tensor(b, type, dy, batch, rows, channels), delta, dq, dk, dv);
        return new Result(b.toFloats(y), b.toFloats(logSumExp), b.toFloats(dq), b.toFloats(dk), b.toFloats(dv));
    }

    /// Weights are rounded to 16 bits after different maxima were taken off, results once more.
    private static void agree(String what, float[] expected, float[] got, double tolerance) {
        double scale = 0;
        for (float e : expected) {
            scale = Math.max(scale, Math.abs(e));
        }
        for (int i = 0; i < expected.length; i++) {
            assertTrue(Math.abs(got[i] - expected[i]) <= tolerance * (Math.abs(expected[i]) + 0.5 * scale), what + ", element " + i + ": " + expected[i] + " expected, got " + got[i]);
        }
    }

    /// Every width of the models and some between; rows that fill no warpgroup, one, one and a part, and several blocks; keys that fill no tile, one, and turns of the ring.
    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
             40 | 2 | 2 |  77 |  77 | false
             40 | 1 | 1 | 200 | 530 | false
             40 | 2 | 1 | 261 | 261 | true
             24 | 3 | 2 |  65 | 129 | false
             64 | 2 | 1 |  64 | 128 | false
             64 | 2 | 2 |  77 |  77 | true
             80 | 2 | 1 | 130 | 700 | false
             72 | 3 | 1 |  19 | 300 | true
             64 | 1 | 1 | 300 | 210 | true
             48 | 1 | 1 |  70 | 200 | true
            160 | 2 | 2 |  70 |  77 | false
            160 | 1 | 1 | 129 | 650 | true
             88 | 2 | 1 |   1 | 385 | false
              8 | 1 | 3 |   5 |   1 | false
            """)
    void shapesThatFillNoTileAgreeWithTheBaseline(int width, int heads, int batch, int rows, int keys, boolean causal) {
        AttentionSpec spec = new AttentionSpec(heads, 1 / Math.sqrt(width), causal);
        float[] q = random.normal(batch * rows * heads * width);
        float[] k = random.normal(batch * keys * heads * width);
        float[] v = random.normal(batch * keys * heads * width);
        float[] dy = random.normal(q.length);
        for (Precision p : PRECISIONS) {
            Result expected = attend(pairs.baseline(p), spec, p.activations(), batch, rows, keys, q, k, v, dy);
            Result got = attend(pairs.hopper(p), spec, p.activations(), batch, rows, keys, q, k, v, dy);
            assertTrue(pairs.driver(p).launched().contains("attention_sm90_fwd_" + HopperAttention.Width.of(width).channels + "_" + TensorCores.name(p.activations())));
            double ulp = p == Precision.BF16 ? 0x1p-7 : 0x1p-10;
            agree("y in " + p, expected.y(), got.y(), ulp);
            agree("logSumExp in " + p, expected.logSumExp(), got.logSumExp(), 1e-5);
            agree("dq in " + p, expected.dq(), got.dq(), 2 * ulp);
            agree("dk in " + p, expected.dk(), got.dk(), 2 * ulp);
            agree("dv in " + p, expected.dv(), got.dv(), 2 * ulp);
        }
    }

    @Test void sixteenThousandKeysGoRoundTheRing() {
        int keys = 16384;
        int width = 40;
        AttentionSpec spec = new AttentionSpec(1, 0.5, false);
        float[] q = random.normal(3 * width);
        float[] k = random.normal(keys * width);
        float[] v = random.normal(keys * width);
        float[] dy = random.normal(q.length);
        Result expected = attend(pairs.baseline(Precision.FP16), spec, DType.F16, 1, 3, keys, q, k, v, dy);
        Result got = attend(pairs.hopper(Precision.FP16), spec, DType.F16, 1, 3, keys, q, k, v, dy);
        agree("y", expected.y(), got.y(), 0x1p-9);
        agree("logSumExp", expected.logSumExp(), got.logSumExp(), 1e-5);
        agree("dq", expected.dq(), got.dq(), 0x1p-8);
        agree("dv", expected.dv(), got.dv(), 0x1p-8);
    }

    /// Odd channels of a head, other types, wide heads, and scales that turn the order of scores around.
    @Test void whatTheKernelsCannotDoGoesToTheBaseline() {
        CudaBackend b = pairs.hopper(Precision.BF16);
        Tensor rows = tensor(b, DType.BF16, random.normal(2 * 160), 1, 2, 160);
        assertTrue(HopperAttention.takes(new AttentionSpec(1, 1, true), rows, rows));
        assertTrue(HopperAttention.takes(new AttentionSpec(20, 1, false), rows, rows));
        assertFalse(HopperAttention.takesBackward(new AttentionSpec(1, 1, true), rows, rows));
        assertTrue(HopperAttention.takesBackward(new AttentionSpec(2, 1, true), rows, rows));
        assertFalse(HopperAttention.takes(new AttentionSpec(32, 1, false), rows, rows));
        assertFalse(HopperAttention.takes(new AttentionSpec(1, 0, false), rows, rows));
        assertFalse(HopperAttention.takes(new AttentionSpec(1, -1, false), rows, rows));
        assertFalse(HopperAttention.takes(new AttentionSpec(1, 1, false), tensor(b, DType.BF16, random.normal(2 * 168), 1, 2, 168)));
        assertFalse(HopperAttention.takes(new AttentionSpec(1, 1, false), tensor(b, DType.F32, random.normal(2 * 160), 1, 2, 160)));
        assertFalse(HopperAttention.takes(new AttentionSpec(1, 1, false), tensor(b, DType.BF16, random.normal(3 * 4), 1, 3, 4)));
    }

    private static BackendOptions auto(List<String> notices) {
        return BackendOptions.of(notices::add).with(Optional.of(Precision.BF16)).with(BackendOptions.Attention.AUTO).with(BackendOptions.Tiles.TABLE).withGraphs(false);
    }

    private Result both(CudaBackend b, int keys) {
        float[] q = new RandomValues(7).normal(70 * 80);
        float[] k = new RandomValues(8).normal(keys * 80);
        return attend(b, new AttentionSpec(2, 0.2, false), DType.BF16, 1, 70, keys, q, k, k, q);
    }

    @Test void underAutoTheFasterKernelsOfAShapeAreTakenAndARunGoesOnWithThem(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        float[] first = null;
        for (int round = 0; round < 2; round++) {
            EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES);
            ScriptedClock clock = round == 0 ? new ScriptedClock().then(2, 1).then(1, 2).then(1, 2).then(2, 1) : new ScriptedClock();
            try (CudaBackend b = CudaBackend.open(clock.on(driver), auto(new ArrayList<>()).keeping(Optional.of(run), Optional.empty()))) {
                float[] y = both(b, 77).y();
                assertArrayEquals(first == null ? y : first, y);
                assertArrayEquals(y, both(b, 77).y());
                both(b, 30);
                first = y;
            }
            assertEquals(List.of(), clock.left());
            assertTrue(driver.launched().containsAll(Set.of("attention_sm90_fwd_48_bf16", "attention_bwd_q_48_bf16")), driver.launched().toString());
        }
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("attention forward BF16 1x70x2x40 to 77 keys = hopper", "attention backward BF16 1x70x2x40 to 77 keys = ptx", "attention forward BF16 1x70x2x40 to 30 keys = ptx",
                "attention backward BF16 1x70x2x40 to 30 keys = hopper"), lines.subList(3, lines.size()));
        try (CudaBackend b = CudaBackend.open(new EmulatedDriver(DEVICE_BYTES), auto(new ArrayList<>()))) {
            assertEquals(77 * 80, both(b, 77).dk().length, "another device has one kind of kernels");
        }
    }

    /// Keys that are not seen: no fault, but other results.
    @Test void underAutoKernelsThatDisagreeAreNotUsed() {
        List<String> notices = new ArrayList<>();
        CudaDriver changed = ChangedKernel.driver(EmulatedDriver.hopper(DEVICE_BYTES), "attention_sm90_bf16", text -> HopperAttentionBugsTest.withLimit(text, -10));
        try (CudaBackend b = CudaBackend.open(changed, auto(notices)); CudaBackend ptx = new CudaBackend(new EmulatedDriver(DEVICE_BYTES), Precision.BF16)) {
            assertArrayEquals(both(ptx, 30).y(), both(b, 30).y());
            assertArrayEquals(both(ptx, 77).y(), both(b, 77).y());
            assertEquals(1, notices.size(), notices.toString());
            assertTrue(notices.getFirst().startsWith("cuda: hopper must agree with the program's own kernels within 0.0625 of a result's size, got ")
                    && notices.getFirst().endsWith(" at 'attention forward BF16 1x70x2x40 to 30 keys'; --attention auto uses it for no further shape"), notices.getFirst());
        }
    }

    @Test void otherDevicesRefuseTheOption() {
        try (EmulatedDriver ampere = new EmulatedDriver(1 << 20)) {
            assertEquals("cuda: --attention hopper needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0, 0.0 GiB, driver for CUDA 12.6; use --attention ptx",
                    assertThrows(CudaException.class, () -> CudaBackend.open(ampere, pairs.options(Precision.BF16))).getMessage());
        }
    }
}
