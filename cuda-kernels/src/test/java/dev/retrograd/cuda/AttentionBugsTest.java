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
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
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
        KernelFault fault = assertThrows(KernelFault.class, () -> attend(text -> without(text, "bar.sync", index)));
        assertTrue(fault.getMessage().startsWith(KERNEL + ", line "), fault.getMessage());
    }

    @ParameterizedTest @ValueSource(ints = {0, 1})
    void aMissingWaitForCopiesIsFound(int index) {
        KernelFault fault = assertThrows(KernelFault.class, () -> attend(text -> without(text, "cp.async.wait_group", index)));
        assertTrue(fault.getMessage().contains("nothing wrote"), fault.getMessage());
    }

    /// The text without the so-manieth line of the kernel that holds an instruction.
    private static String without(String text, String instruction, int index) {
        int at = text.indexOf(".entry " + KERNEL + "(");
        for (int i = 0; i <= index; i++) {
            at = text.indexOf(instruction, at + 1);
        }
        return text.substring(0, at) + text.substring(text.indexOf(';', at) + 1);
    }

    private static void attend(UnaryOperator<String> change) {
        EmulatedDriver driver = new EmulatedDriver(16 << 20);
        CudaDriver changing = (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
            if (method.getName().equals("load") && arguments[0].equals("attention_48")) {
                arguments[1] = change.apply((String) arguments[1]);
            }
            try {
                return method.invoke(driver, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
        try (CudaBackend b = new CudaBackend(changing, Precision.BF16)) {
            Spec rows = new Spec(Shape.of(1, KEYS, 40), DType.BF16);
            Tensor x = b.empty("x", rows);
            b.fill(x, 0.5);
            b.attention(new AttentionSpec(1, 0.1, false), x, x, x, b.empty("y", rows), b.empty("logSumExp", Spec.f32(1, 1, KEYS)));
        }
    }
}
