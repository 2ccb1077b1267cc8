package dev.retrograd.cuda;

import static dev.retrograd.cuda.HopperPairs.DEVICE_BYTES;
import static dev.retrograd.cuda.HopperPairs.PRECISIONS;
import static dev.retrograd.cuda.HopperPairs.tensor;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendContract;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.contract.ContractCase;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Convolutions on warpgroups fulfil the contract on the emulator, and agree with those of the baseline's kernels.
class HopperConvolutionsTest {
    private static HopperPairs pairs;

    private final RandomValues random = new RandomValues(7);

    @BeforeAll static void start() {
        pairs = new HopperPairs("convolution_sm90", o -> o.with(BackendOptions.Convolutions.HOPPER));
    }

    @AfterAll static void end() {
        pairs.close();
    }

    /// Without sizes whose rows bulk copies cannot read, which the baseline's kernels do here, too.
    @TestFactory Stream<DynamicTest> contract() {
        return PRECISIONS.stream().flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream()
                .filter(c -> c.family().equals("convolution") && !c.name().matches(".* (1|7|13|207)|.*(Unusual|OtherType).*")).toList(), (c, seed) -> c.run(pairs.hopper(p), seed)));
    }

    private interface Work {
        void run(CudaBackend b, Tensor result);
    }

    /// Runs on both, and compares: sums of float32 in another order, rounded to 16 bits.
    private static void agree(String what, CudaBackend hopper, Shape result, Work work) {
        Precision p = hopper.precision();
        float[] expected = run(pairs.baseline(p), p, result, work);
        float[] got = run(hopper, p, result, work);
        HopperPairs.agree(what, p, 1e-5, expected, got);
    }

    private static float[] run(CudaBackend b, Precision p, Shape shape, Work work) {
        Tensor result = b.empty("result", new Spec(shape, p.activations()));
        work.run(b, result);
        return b.toFloats(result);
    }

    /// A convolution with and without bias, and its input gradient.
    private void compare(ConvSpec spec, int batch, int height, int width, int in, int out) {
        PRECISIONS.forEach(p -> compare(pairs.hopper(p), spec, batch, height, width, in, out));
    }

    private void compare(CudaBackend hopper, ConvSpec spec, int batch, int height, int width, int in, int out) {
        Shape x = Shape.of(batch, height, width, in);
        Shape w = Shape.of(out, spec.kernelHeight(), spec.kernelWidth(), in);
        Shape y = Shape.of(batch, spec.outHeight(height), spec.outWidth(width), out);
        float[] xs = random.normal((int) x.elements());
        float[] ws = random.normal((int) w.elements());
        float[] dys = random.normal((int) y.elements());
        float[] bias = random.normal(out);
        DType type = hopper.activations();
        Tensor pixels = tensor(hopper, type, xs, x.toArray());
        Tensor weight = tensor(hopper, type, ws, w.toArray());
        assertTrue(HopperConvolutions.takes(type, spec, true, pixels, weight), spec.toString());
        assertEquals(spec.stride() <= Math.min(spec.kernelHeight(), spec.kernelWidth()), HopperConvolutions.takes(type, spec, false, pixels, weight), spec.toString());
        agree("conv2d " + spec, hopper, y, (b, r) -> b.conv2d(spec, tensor(b, type, xs, x.toArray()), tensor(b, type, ws, w.toArray()), r));
        agree("conv2d with bias " + spec, hopper, y, (b, r) -> b.conv2d(spec, tensor(b, type, xs, x.toArray()), tensor(b, type, ws, w.toArray()), b.floats("bias", Shape.of(out), bias), r));
        agree("conv2dBackwardInput " + spec, hopper, x, (b, r) -> b.conv2dBackwardInput(spec, tensor(b, type, dys, y.toArray()), tensor(b, type, ws, w.toArray()), r));
    }

    /// Images, rows, columns and channels that fill no box, no stage and no tile, and some that do.
    @ParameterizedTest @CsvSource({"1,5,7,8,16", "3,7,5,24,40", "1,1,1,8,8", "1,3,70,8,16", "2,1,200,8,8", "5,3,3,16,8", "3,8,8,64,128", "1,16,16,72,136", "1,9,17,8,392", "1,5,5,392,8"})
    void convolutionsOfThreeByThreeAgreeWithTheBaseline(int batch, int height, int width, int in, int out) {
        compare(ConvSpec.square(3, 1, 1), batch, height, width, in, out);
    }

    @ParameterizedTest @CsvSource({"1,9,7,16,8", "3,8,8,8,24", "1,33,18,8,16", "1,2,150,8,264"})
    void everySecondPixelAgreesWithTheBaseline(int batch, int height, int width, int in, int out) {
        compare(ConvSpec.square(3, 2, 1), batch, height, width, in, out);
        compare(new ConvSpec(3, 3, 2, 0, 1, 0, 1), batch, height, width, in, out);
        compare(ConvSpec.square(1, 2, 0), batch, height, width, in, out);
        compare(ConvSpec.square(2, 2, 0), batch, height, width, in, out);
        compare(new ConvSpec(4, 3, 2, 2, 1, 1, 0), batch, height, width, in, out);
    }

    @ParameterizedTest @CsvSource({"1,5,7,8,16", "3,3,5,72,40"})
    void otherKernelsAndPaddingAgreeWithTheBaseline(int batch, int height, int width, int in, int out) {
        compare(ConvSpec.square(1, 1, 0), batch, height, width, in, out);
        compare(ConvSpec.square(1, 1, 2), batch, height, width, in, out);
        compare(new ConvSpec(2, 3, 1, 1, 0, 0, 2), batch, height, width, in, out);
        compare(ConvSpec.square(5, 1, 2), batch, height, width, in, out);
    }

    /// On a device whose multiprocessors few blocks would leave idle.
    @ParameterizedTest @CsvSource({"1,3,5,200,16", "3,5,3,16,200"}) void aLongSumIsSplit(int batch, int height, int width, int in, int out) {
        EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES, 6);
        try (CudaBackend b = CudaBackend.open(driver, pairs.options(Precision.BF16))) {
            compare(b, ConvSpec.square(3, 1, 1), batch, height, width, in, out);
            assertTrue(driver.launched().contains("matmul_sum_splits"), driver.launched().toString());
        }
    }

    @Test void whatHasNoKernelGoesToTheBaseline() {
        CudaBackend b = pairs.hopper(Precision.BF16);
        Tensor even = tensor(b, DType.BF16, random.normal(2 * 2 * 8), 1, 2, 2, 8);
        Tensor odd = tensor(b, DType.BF16, random.normal(2 * 2 * 4), 1, 2, 2, 4);
        ConvSpec plain = ConvSpec.square(2, 1, 0);
        assertTrue(HopperConvolutions.takes(DType.BF16, plain, false, even, even));
        assertFalse(HopperConvolutions.takes(DType.BF16, plain, true, odd, even));
        assertFalse(HopperConvolutions.takes(DType.BF16, plain, true, even, odd));
        assertFalse(HopperConvolutions.takes(DType.BF16, ConvSpec.square(1, 2, 0), false, even, even));
        assertFalse(HopperConvolutions.takes(DType.BF16, ConvSpec.square(2, 3, 0), true, even, even));
    }

    @Test void otherDevicesRefuseTheOption() {
        try (EmulatedDriver ampere = new EmulatedDriver(1 << 20)) {
            assertEquals("cuda: --conv hopper needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0, 0.0 GiB, driver for CUDA 12.6; use --conv ptx",
                    assertThrows(CudaException.class, () -> CudaBackend.open(ampere, pairs.options(Precision.BF16))).getMessage());
        }
    }
}
