package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.BackendOptions.Tiles;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import dev.retrograd.cuda.emulator.KernelFault;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Bugs planted into the product on warpgroups that is shipped, each an instruction that is missing, are found by the emulator.
class HopperBugsTest {
    private static final String MODULE = "matmul_sm90_bf16";
    private static final String KERNEL = MODULE + "_kk_Ring128x128";
    /// Stages enough to go round the ring of six.
    private static final int K = 9 * 64;

    @Test void theKernelAsItIsHasNone() {
        assertDoesNotThrow(() -> multiply(text -> text));
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            fence.mbarrier_init      | 0 | a fence.mbarrier_init or fence.proxy.async must follow its initialisation
            bar.sync                 | 0 | with nothing between its initialisation by warp 0 and this that orders them
            mbarrier.arrive.expect_tx| 0 | waits for ever for phase 0 of the mbarrier
            mbarrier.arrive.shared   | 0 | waits for ever for phase 0 of the mbarrier
            wgmma.fence              | 0 | a wgmma.fence must precede the first wgmma
            wgmma.commit_group       | 1 | while the wgmma of line
            wgmma.wait_group         | 0 | while the wgmma of line
            wgmma.wait_group         | 1 | sums in is used before a wgmma.wait_group
            bar.sync                 | 1 | shared memory
            bar.sync                 | 2 | shared memory
            """)
    void aMissingInstructionIsFound(String instruction, int index, String message) {
        assertFault(message, text -> ChangedKernel.changed(text, KERNEL, instruction, index, ""));
    }

    /// The producer's wait for an empty stage, and the consumers' for a full one, the first and those that follow.
    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            0 | an arrival too many
            1 | may still be writing
            2 | was written by a bulk copy whose mbarrier this thread has not waited for
            """)
    void aMissingWaitForAStageIsFound(int index, String message) {
        assertFault(message, text -> ChangedKernel.changed(text, KERNEL, "mbarrier.try_wait", index, "setp.eq.u32 p, 0, 0"));
    }

    private static void assertFault(String message, UnaryOperator<String> change) {
        KernelFault fault = assertThrows(KernelFault.class, () -> multiply(change));
        assertTrue(fault.getMessage().startsWith(KERNEL + ", line ") && fault.getMessage().contains(message), fault.getMessage());
    }

    private static void multiply(UnaryOperator<String> change) {
        CudaDriver changing = ChangedKernel.driver(EmulatedDriver.hopper(16 << 20), MODULE, change);
        BackendOptions options = BackendOptions.of(_ -> {
        }).with(Optional.of(Precision.BF16)).with(Products.HOPPER).with(Tiles.TABLE).withGraphs(false);
        try (CudaBackend b = CudaBackend.open(changing, options)) {
            Tensor x = b.empty("x", new Spec(Shape.of(130, K), DType.BF16));
            b.fill(x, 0.5);
            Tensor w = b.empty("w", new Spec(Shape.of(128, K), DType.BF16));
            b.fill(w, 0.5);
            b.linear(x, w, b.empty("y", new Spec(Shape.of(130, 128), DType.BF16)));
        }
    }
}
