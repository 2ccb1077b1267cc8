package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.BackendOptions.Tiles;
import dev.retrograd.core.ConvSpec;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Bugs planted into the convolution on warpgroups that is shipped: missing instructions are found by the emulator, boxes that begin at the wrong pixel by what
/// comes out of them.
class HopperConvolutionBugsTest {
    private static final String MODULE = "convolution_sm90_bf16";
    private static final String KERNEL = MODULE + "_fwd_Ring128x128";
    /// Nine taps go round the ring of six stages.
    private static final int HEIGHT = 5;
    private static final int WIDTH = 7;
    private static final int CHANNELS = 8;

    /// Of ones under a kernel of ones, every pixel's sum counts the taps within the image.
    @Test void theKernelAsItIsHasNone() {
        int[] expected = new int[HEIGHT * WIDTH];
        Arrays.setAll(expected, i -> taps(i / WIDTH, HEIGHT) * taps(i % WIDTH, WIDTH));
        assertArrayEquals(expected, convolve(text -> text));
    }

    private static int taps(int at, int size) {
        return at == 0 || at == size - 1 ? 2 : 3;
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            fence.mbarrier_init       | 0 | a fence.mbarrier_init or fence.proxy.async must follow its initialisation
            bar.sync                  | 0 | with nothing between its initialisation by warp 0 and this that orders them
            mbarrier.arrive.expect_tx | 0 | waits for ever for phase 0 of the mbarrier
            cp.async.bulk.tensor.4d   | 0 | waits for ever for phase 0 of the mbarrier
            cp.async.bulk.tensor.3d   | 0 | waits for ever for phase 0 of the mbarrier
            mbarrier.arrive.shared    | 0 | waits for ever for phase 0 of the mbarrier
            wgmma.wait_group          | 0 | while the wgmma of line
            bar.sync                  | 1 | shared memory
            bar.sync                  | 2 | shared memory
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

    /// Boxes moved by a pixel, and boxes that begin at the edge where they must begin beyond it, along rows and columns: pixels at the edges show it, others do not.
    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            1 | add.s32 %s, %s, 1  | 9 9 9 9 9 6 3
            1 | add.s32 %s, %s, -1 | 3 6 9 9 9 9 9
            1 | max.s32 %s, %s, 0  | 9 9 9 9 9 9 6
            2 | max.s32 %s, %s, 0  | 6 9 9 9 9 9 6
            """)
    void aBoxWithTheWrongOriginShowsAtTheEdges(int axis, String change, String middleRow) {
        int[] taps = convolve(text -> withOrigin(text, axis, change));
        assertEquals(middleRow, String.join(" ", Arrays.stream(taps, 2 * WIDTH, 3 * WIDTH).mapToObj(String::valueOf).toList()));
    }

    private static void assertFault(String message, UnaryOperator<String> change) {
        KernelFault fault = assertThrows(KernelFault.class, () -> convolve(change));
        assertTrue(fault.getMessage().startsWith(KERNEL + ", line ") && fault.getMessage().contains(message), fault.getMessage());
    }

    /// The text with an instruction before the copy of pixels that changes a coordinate of their box.
    private static String withOrigin(String text, int axis, String change) {
        int at = ChangedKernel.find(text, KERNEL, "cp.async.bulk.tensor.4d", 0);
        String[] corner = text.substring(text.indexOf('{', at) + 1, text.indexOf('}', at)).split(", ");
        return text.substring(0, at) + change.replace("%s", corner[axis]) + "; " + text.substring(at);
    }

    /// @return taps within the image as every pixel counted them
    private static int[] convolve(UnaryOperator<String> change) {
        CudaDriver changing = ChangedKernel.driver(EmulatedDriver.hopper(16 << 20), MODULE, change);
        BackendOptions options = BackendOptions.of(_ -> {
        }).with(Optional.of(Precision.BF16)).with(Convolutions.HOPPER).with(Tiles.TABLE).withGraphs(false);
        try (CudaBackend b = CudaBackend.open(changing, options)) {
            Tensor x = b.empty("x", new Spec(Shape.of(1, HEIGHT, WIDTH, CHANNELS), DType.BF16));
            b.fill(x, 1);
            Tensor w = b.empty("w", new Spec(Shape.of(CHANNELS, 3, 3, CHANNELS), DType.BF16));
            b.fill(w, 1);
            Tensor y = b.empty("y", x.spec());
            b.conv2d(ConvSpec.square(3, 1, 1), x, w, y);
            float[] sums = b.toFloats(y);
            int[] taps = new int[HEIGHT * WIDTH];
            Arrays.setAll(taps, i -> (int) sums[i * CHANNELS] / CHANNELS);
            return taps;
        }
    }
}
