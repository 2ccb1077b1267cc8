package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class CpuConvolutionTest {

    /// @param batch images of `height` by `width` by `inputs`
    record Case(ConvSpec spec, int batch, int height, int width, int inputs, int outputs) {
        Shape x() {
            return Shape.of(batch, height, width, inputs);
        }

        Shape w() {
            return Shape.of(outputs, spec.kernelHeight(), spec.kernelWidth(), inputs);
        }

        Shape y() {
            return Shape.of(batch, spec.outHeight(height), spec.outWidth(width), outputs);
        }
    }

    static Stream<Case> cases() {
        ConvSpec downsampler = new ConvSpec(3, 3, 2, 0, 1, 0, 1);
        return Stream.of(
                new Case(ConvSpec.square(3, 1, 1), 2, 8, 8, 32, 64),
                new Case(ConvSpec.square(3, 1, 1), 1, 13, 7, 4, 33),
                new Case(ConvSpec.square(3, 1, 1), 2, 1, 1, 7, 5),
                new Case(ConvSpec.square(3, 1, 1), 1, 16, 16, 64, 4),
                new Case(ConvSpec.square(3, 1, 1), 1, 9, 10, 207, 13),
                new Case(ConvSpec.square(3, 2, 1), 2, 8, 8, 32, 32),
                new Case(ConvSpec.square(3, 2, 1), 1, 7, 13, 5, 17),
                new Case(downsampler, 2, 8, 8, 16, 16),
                new Case(downsampler, 1, 7, 9, 3, 40),
                new Case(ConvSpec.square(1, 1, 0), 2, 7, 5, 64, 13),
                new Case(ConvSpec.square(1, 2, 0), 1, 7, 8, 9, 10),
                new Case(ConvSpec.square(1, 1, 2), 1, 4, 5, 6, 7),
                new Case(ConvSpec.square(14, 14, 0), 2, 28, 28, 3, 48),
                new Case(new ConvSpec(2, 5, 3, 4, 0, 1, 7), 2, 11, 12, 6, 20),
                new Case(new ConvSpec(5, 2, 1, 0, 3, 5, 0), 1, 6, 4, 20, 6),
                new Case(ConvSpec.square(2, 3, 0), 1, 10, 10, 8, 8));
    }

    /// Where one product `x·w`, part of the sum that defines y, has its factors and its sum.
    private interface Visitor {
        void visit(int x, int w, int y);
    }

    private static void forEachProduct(Case c, Visitor visitor) {
        ConvSpec s = c.spec;
        int outHeight = s.outHeight(c.height);
        int outWidth = s.outWidth(c.width);
        for (int pixel = 0; pixel < c.batch * outHeight * outWidth; pixel++) {
            for (int tap = 0; tap < s.kernelHeight() * s.kernelWidth(); tap++) {
                int row = pixel / outWidth % outHeight * s.stride() - s.padTop() + tap / s.kernelWidth();
                int column = pixel % outWidth * s.stride() - s.padLeft() + tap % s.kernelWidth();
                if (row < 0 || row >= c.height || column < 0 || column >= c.width) {
                    continue;
                }
                int at = (pixel / outWidth / outHeight * c.height + row) * c.width + column;
                for (int o = 0; o < c.outputs; o++) {
                    for (int i = 0; i < c.inputs; i++) {
                        visitor.visit(at * c.inputs + i, (o * s.kernelHeight() * s.kernelWidth() + tap) * c.inputs + i,
                                pixel * c.outputs + o);
                    }
                }
            }
        }
    }

    /// A backend's worth of what these kernels need.
    private static final class Fixture implements AutoCloseable {
        private final CpuMemory memory = new CpuMemory(true);
        private final Workers workers;
        private final Gemm gemm;
        final CpuConvolution convolution;

        Fixture(int threads, MicroKernel kernel) {
            workers = new Workers(threads);
            gemm = new Gemm(workers, kernel);
            convolution = new CpuConvolution(gemm);
        }

        /// Poisoned with NaN, so that an unwritten result is seen.
        Tensor empty(Shape shape, DType type) {
            return memory.memory().allocate("t", new Spec(shape, type));
        }

        Tensor random(Shape shape, DType type, long seed) {
            Tensor t = empty(shape, type);
            Operands.fill(CpuMemory.data(t), type, t.elements(), seed);
            return t;
        }

        @Override public void close() {
            gemm.close();
            workers.close();
            memory.close();
        }
    }

    private static float[] values(Tensor t) {
        MemorySegment data = CpuMemory.data(t);
        float[] values = new float[(int) t.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Operands.read(data, t.dtype(), (long) i * t.dtype().bytes());
        }
        return values;
    }

    private static void checkAll(Fixture f, Case c, DType weightType) {
        Tensor x = f.random(c.x(), DType.F32, 1);
        Tensor w = f.random(c.w(), weightType, 2);
        Tensor dy = f.random(c.y(), DType.F32, 3);
        Tensor bias = f.random(Shape.of(c.outputs), DType.F32, 4);
        float[] xs = values(x);
        float[] ws = values(w);
        float[] dys = values(dy);
        float[] biases = values(bias);

        double[] y = new double[dys.length];
        float[] naiveY = new float[dys.length];
        double[] dx = new double[xs.length];
        float[] naiveDx = new float[xs.length];
        double[] dw = new double[ws.length];
        float[] naiveDw = new float[ws.length];
        forEachProduct(c, (ix, iw, iy) -> {
            y[iy] += (double) xs[ix] * ws[iw];
            naiveY[iy] += xs[ix] * ws[iw];
            dx[ix] += (double) dys[iy] * ws[iw];
            naiveDx[ix] += dys[iy] * ws[iw];
            dw[iw] += (double) dys[iy] * xs[ix];
            naiveDw[iw] += dys[iy] * xs[ix];
        });

        Tensor out = f.empty(c.y(), DType.F32);
        f.convolution.conv2d(c.spec, x, w, out);
        Operands.assertClose("y of " + c, y, naiveY, values(out));
        Tensor outX = f.empty(c.x(), DType.F32);
        f.convolution.conv2dBackwardInput(c.spec, dy, w, outX);
        Operands.assertClose("dx of " + c, dx, naiveDx, values(outX));
        Tensor outW = f.empty(c.w(), DType.F32);
        f.convolution.conv2dBackwardWeight(c.spec, x, dy, outW);
        Operands.assertClose("dw of " + c, dw, naiveDw, values(outW));

        for (int i = 0; i < y.length; i++) {
            y[i] += biases[i % c.outputs];
            naiveY[i] += biases[i % c.outputs];
        }
        f.convolution.conv2d(c.spec, x, w, bias, out);
        Operands.assertClose("y with bias of " + c, y, naiveY, values(out));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void forwardAndBothGradientsAgreeWithFloat64(Case c) {
        for (Named<MicroKernel> kernel : GemmTest.kernels().toList()) {
            try (Fixture f = new Fixture(2, kernel.getPayload())) {
                checkAll(f, c, DType.F32);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F16", "BF16"})
    void sixteenBitWeightsAreReadExactly(DType type) {
        try (Fixture f = new Fixture(2, MicroKernel.preferred())) {
            checkAll(f, new Case(ConvSpec.square(3, 1, 1), 2, 6, 5, 19, 34), type);
            checkAll(f, new Case(ConvSpec.square(3, 2, 1), 1, 6, 5, 19, 34), type);
        }
    }

    @Test void sameBitsForAnyNumberOfThreadsAndAnyVectorWidth() {
        Case c = new Case(ConvSpec.square(3, 2, 1), 2, 33, 31, 48, 80);
        List<List<float[]>> results = new ArrayList<>();
        for (int threads : IntStream.rangeClosed(1, 3).toArray()) {
            for (Named<MicroKernel> kernel : GemmTest.kernels().toList()) {
                try (Fixture f = new Fixture(threads, kernel.getPayload())) {
                    Tensor x = f.random(c.x(), DType.F32, 1);
                    Tensor w = f.random(c.w(), DType.F32, 2);
                    Tensor y = f.empty(c.y(), DType.F32);
                    Tensor dx = f.empty(c.x(), DType.F32);
                    Tensor dw = f.empty(c.w(), DType.F32);
                    f.convolution.conv2d(c.spec, x, w, y);
                    f.convolution.conv2dBackwardInput(c.spec, y, w, dx);
                    f.convolution.conv2dBackwardWeight(c.spec, x, y, dw);
                    results.add(List.of(values(y), values(dx), values(dw)));
                }
            }
        }
        for (List<float[]> result : results) {
            for (int i = 0; i < 3; i++) {
                assertArrayEquals(results.getFirst().get(i), result.get(i), 0f);
            }
        }
    }

    @Test void oneByOneByHand() {
        try (Fixture f = new Fixture(1, MicroKernel.preferred())) {
            Tensor x = f.empty(Shape.of(1, 1, 2, 2), DType.F32);
            MemorySegment.copy(new float[] {1, 2, 3, 4}, 0, CpuMemory.data(x), JAVA_FLOAT, 0, 4);
            Tensor w = f.empty(Shape.of(1, 1, 1, 2), DType.F32);
            MemorySegment.copy(new float[] {10, 1}, 0, CpuMemory.data(w), JAVA_FLOAT, 0, 2);
            Tensor y = f.empty(Shape.of(1, 1, 2, 1), DType.F32);
            f.convolution.conv2d(ConvSpec.square(1, 1, 0), x, w, y);
            assertArrayEquals(new float[] {12, 34}, values(y));
        }
    }

    @Test void refusesSixteenBitActivations() {
        try (Fixture f = new Fixture(1, MicroKernel.preferred())) {
            Tensor x = f.random(Shape.of(1, 2, 2, 1), DType.F16, 1);
            Tensor w = f.random(Shape.of(1, 1, 1, 1), DType.F32, 2);
            Tensor y = f.empty(Shape.of(1, 2, 2, 1), DType.F32);
            assertEquals("conv2d: F32 is required, got 't' [1,2,2,1] F16", assertThrows(DTypeException.class,
                    () -> f.convolution.conv2d(ConvSpec.square(1, 1, 0), x, w, y)).getMessage());
        }
    }

    @Test void refusesShapesThatDisagree() {
        try (Fixture f = new Fixture(1, MicroKernel.preferred())) {
            Tensor x = f.random(Shape.of(1, 4, 4, 8), DType.F32, 1);
            Tensor w = f.random(Shape.of(6, 3, 3, 4), DType.F32, 2);
            Tensor y = f.empty(Shape.of(1, 4, 4, 6), DType.F32);
            ConvSpec spec = ConvSpec.square(3, 1, 1);
            assertEquals("conv2d: weight must be [6,3,3,8] and output [1,4,4,6] for an image [1,4,4,8], got [6,3,3,4] and [1,4,4,6]",
                    assertThrows(ShapeException.class, () -> f.convolution.conv2d(spec, x, w, y)).getMessage());
            assertThrows(ShapeException.class, () -> f.convolution.conv2dBackwardInput(spec, y, w, x));
            assertThrows(ShapeException.class, () -> f.convolution.conv2dBackwardWeight(spec, x, y, w));
            assertThrows(ShapeException.class, () -> f.convolution.conv2d(spec, x, w, f.empty(Shape.of(7), DType.F32), y));
        }
    }
}
