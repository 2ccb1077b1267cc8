package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import dev.retrograd.cuda.emulator.KernelFault;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Bugs planted into the attention kernel that is shipped, each a line that is missing, are found by the emulator.
class AttentionBugsTest {
    private static final String KERNEL = "attention_fwd_48_bf16";
    /// More than one tile of keys, so that tiles are overwritten.
    private static final int KEYS = 100;

    @Test void theKernelAsItIsHasNone() {
        assertDoesNotThrow(() -> attend(text -> text));
    }

    /// Tiles are read when they have landed and overwritten when all have read them. The fifth barrier follows another but for loops of no turn.
    @ParameterizedTest @ValueSource(ints = {0, 1, 2, 3, 5})
    void aMissingBarrierIsFound(int index) {
        KernelFault fault = assertThrows(KernelFault.class, () -> attend(text -> ChangedKernel.changed(text, KERNEL, "bar.sync", index, "")));
        assertTrue(fault.getMessage().startsWith(KERNEL + ", line "), fault.getMessage());
    }

    @ParameterizedTest @ValueSource(ints = {0, 1})
    void aMissingWaitForCopiesIsFound(int index) {
        KernelFault fault = assertThrows(KernelFault.class, () -> attend(text -> ChangedKernel.changed(text, KERNEL, "cp.async.wait_group", index, "")));
        assertTrue(fault.getMessage().contains("nothing wrote"), fault.getMessage());
    }

    private static void attend(UnaryOperator<String> change) {
        CudaDriver changing = ChangedKernel.driver(new EmulatedDriver(16 << 20), "attention_48", change);
        try (CudaBackend b = new CudaBackend(changing, Precision.BF16)) {
            Spec rows = new Spec(Shape.of(1, KEYS, 40), DType.BF16);
            Tensor x = b.empty("x", rows);
            b.fill(x, 0.5);
            b.attention(new AttentionSpec(1, 0.1, false), x, x, x, b.empty("y", rows), b.empty("logSumExp", Spec.f32(1, 1, KEYS)));
        }
    }
}
