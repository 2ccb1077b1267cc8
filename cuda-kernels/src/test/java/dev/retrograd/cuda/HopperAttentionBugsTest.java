package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Attention;
import dev.retrograd.core.BackendOptions.Tiles;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import dev.retrograd.cuda.emulator.KernelFault;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Bugs planted into the attention on warpgroups that is shipped, an instruction that is missing or a limit that is off by one, are found by the emulator.
class HopperAttentionBugsTest {
    private static final String MODULE = "attention_sm90_bf16";
    private static final String FORWARD = "fwd";
    /// Tiles enough to go round the ring of six, the last one with a tail; backward, of queries as well.
    private static final int KEYS = 4 * 128 + 77;
    private static final int QUERIES = 7 * 64 + 2;

    /// All values are the same: so is every result, and a row's logarithm counts the keys that it saw.
    @Test void theKernelAsItIsHasNone() {
        float[] y = new float[QUERIES * 40];
        Arrays.fill(y, 0.5f);
        Results r = attend(text -> text);
        assertArrayEquals(y, r.y());
        assertEquals(QUERIES * 0.5 / KEYS, r.dv()[0], 1e-3);
        assertEquals(Math.log(KEYS) + 0.25 * 40 * 0.1, r.logSumExp()[QUERIES - 1], 1e-4);
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            fwd    | fence.mbarrier_init       | 0 | a fence.mbarrier_init or fence.proxy.async must follow its initialisation
            fwd    | bar.sync                  | 0 | with nothing between its initialisation by warp 0 and this that orders them
            fwd    | mbarrier.arrive.expect_tx | 0 | waits for ever for phase 0 of the mbarrier
            fwd    | mbarrier.arrive.expect_tx | 1 | waits for ever for phase 0 of the mbarrier
            fwd    | wgmma.fence               | 0 | a wgmma.fence must precede the first wgmma
            fwd    | wgmma.fence               | 2 | a wgmma.fence must precede the first wgmma
            fwd    | wgmma.fence               | 3 | a wgmma.fence must precede the first wgmma
            fwd    | wgmma.wait_group          | 0 | sums in is used before a wgmma.wait_group
            fwd    | wgmma.wait_group          | 1 | is used before a wgmma.wait_group
            fwd    | wgmma.wait_group          | 2 | sums in is used before a wgmma.wait_group
            fwd    | wgmma.wait_group          | 3 | sums in is used before a wgmma.wait_group
            bwd_q  | wgmma.fence               | 0 | a wgmma.fence must precede the first wgmma
            bwd_q  | wgmma.fence               | 1 | a wgmma.fence must precede the first wgmma
            bwd_q  | wgmma.fence               | 3 | a wgmma.fence must precede the first wgmma
            bwd_q  | wgmma.wait_group          | 0 | sums in is used before a wgmma.wait_group
            bwd_q  | wgmma.wait_group          | 1 | sums in is used before a wgmma.wait_group
            bwd_q  | wgmma.wait_group          | 2 | reads is used before a wgmma.wait_group
            bwd_q  | wgmma.wait_group          | 3 | sums in is used before a wgmma.wait_group
            bwd_kv | bar.sync                  | 1 | race in shared memory
            bwd_kv | wgmma.fence               | 0 | a wgmma.fence must precede the first wgmma
            bwd_kv | wgmma.fence               | 1 | a wgmma.fence must precede the first wgmma
            bwd_kv | wgmma.fence               | 3 | a wgmma.fence must precede the first wgmma
            bwd_kv | wgmma.wait_group          | 1 | sums in is used before a wgmma.wait_group
            bwd_kv | wgmma.wait_group          | 2 | reads is used before a wgmma.wait_group
            bwd_kv | wgmma.wait_group          | 3 | sums in is used before a wgmma.wait_group
            """)
    void aMissingInstructionIsFound(String kernel, String instruction, int index, String message) {
        assertFault(kernel, message, text -> ChangedKernel.changed(text, entry(kernel), instruction, index, ""));
    }

    /// The producer's wait for an empty stage; the consumers' for their own rows, the first tile, further tiles (forward, of keys and of values), and the last values.
    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            fwd    | 0 | an arrival too many
            fwd    | 1 | may still be writing
            fwd    | 2 | was written by a bulk copy whose mbarrier this thread has not waited for
            fwd    | 3 | was written by a bulk copy whose mbarrier this thread has not waited for
            fwd    | 4 | was written by a bulk copy whose mbarrier this thread has not waited for
            fwd    | 5 | was written by a bulk copy whose mbarrier this thread has not waited for
            bwd_q  | 0 | an arrival too many
            bwd_q  | 1 | may still be writing
            bwd_q  | 2 | was written by a bulk copy whose mbarrier this thread has not waited for
            bwd_q  | 3 | was written by a bulk copy whose mbarrier this thread has not waited for
            bwd_kv | 0 | an arrival too many
            bwd_kv | 1 | may still be writing
            bwd_kv | 3 | was written by a bulk copy whose mbarrier this thread has not waited for
            """)
    void aMissingWaitForAStageIsFound(String kernel, int index, String message) {
        assertFault(kernel, message, text -> ChangedKernel.changed(text, entry(kernel), "mbarrier.try_wait", index, "setp.eq.u32 p, 0, 0"));
    }

    /// Forward, of the first keys, of further ones, of values; backward of a tile of both: the ring's next turn waits for them.
    @ParameterizedTest @CsvSource({"fwd,0", "fwd,1", "fwd,2", "bwd_q,0", "bwd_kv,0"})
    void aTileThatIsNotReleasedIsFound(String kernel, int index) {
        assertFault(kernel, "waits for ever for phase 0 of the mbarrier", text -> ChangedKernel.changed(text, entry(kernel), "mbarrier.arrive.shared", index, "setp.eq.u32 p, 0, 0"));
    }

    /// One key more than there are: zeros that the bulk copy filled in. Nothing is undefined about it, but results are smaller, and logarithms larger.
    @ParameterizedTest @ValueSource(ints = {1, -1})
    void aLimitOfKeysThatIsOffByOneShows(int by) {
        Results r = attend(text -> withLimit(text, by));
        assertNotEquals(Math.log(KEYS) + 0.25 * 40 * 0.1, r.logSumExp()[0], 1e-4);
        assertEquals(Math.log(by == 1 ? KEYS * Math.exp(1) + 1 : (KEYS - 1) * Math.exp(1)), r.logSumExp()[0], 1e-4);
    }

    private record Results(float[] y, float[] logSumExp, float[] dv) {
    }

    private static String entry(String kernel) {
        return "attention_sm90_" + kernel + "_48_bf16";
    }

    private static void assertFault(String kernel, String message, UnaryOperator<String> change) {
        KernelFault fault = assertThrows(KernelFault.class, () -> attend(change));
        assertTrue(fault.getMessage().startsWith(entry(kernel) + ", line ") && fault.getMessage().contains(message), fault.getMessage());
    }

    /// The text with so many more keys seen than there are: wherever a score is hidden by its number.
    static String withLimit(String text, int more) {
        int at = text.indexOf(".entry " + entry(FORWARD) + "(");
        String kernel = Pattern.compile("(setp\\.gt\\.s32 \t%p\\d+, %r\\d+, )(\\d+)(;\\s+selp\\.f32)").matcher(text.substring(at))
                .replaceAll(m -> m.group(1) + (Integer.parseInt(m.group(2)) - more) + m.group(3));
        return text.substring(0, at) + kernel;
    }

    private static Results attend(UnaryOperator<String> change) {
        CudaDriver changing = ChangedKernel.driver(EmulatedDriver.hopper(16 << 20), MODULE, change);
        BackendOptions options = BackendOptions.of(_ -> {
        }).with(Optional.of(Precision.BF16)).with(Attention.HOPPER).with(Tiles.TABLE).withGraphs(false);
        try (CudaBackend b = CudaBackend.open(changing, options)) {
            Tensor q = b.empty("q", new Spec(Shape.of(1, QUERIES, 40), DType.BF16));
            b.fill(q, 0.5);
            Tensor k = b.empty("k", new Spec(Shape.of(1, KEYS, 40), DType.BF16));
            b.fill(k, 0.5);
            Tensor y = b.empty("y", q.spec());
            Tensor logSumExp = b.empty("logSumExp", Spec.f32(1, 1, QUERIES));
            AttentionSpec spec = new AttentionSpec(1, 0.1, false);
            b.attention(spec, q, k, k, y, logSumExp);
            Tensor dv = b.empty("dv", k.spec());
            b.attentionBackward(spec, q, k, k, y, logSumExp, q, b.empty("delta", logSumExp.spec()), b.empty("dq", q.spec()), b.empty("dk", k.spec()), dv);
            return new Results(b.toFloats(y), b.toFloats(logSumExp), b.toFloats(dv));
        }
    }
}
