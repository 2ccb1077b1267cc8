package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CpuMatrixTest {
    private final CpuMemory memory = new CpuMemory(true);
    private final Workers workers = new Workers(2);
    private final Gemm gemm = new Gemm(workers);
    private final CpuMatrix matrix = new CpuMatrix(gemm);

    @AfterEach void free() {
        gemm.close();
        workers.close();
        memory.close();
    }

    private Tensor random(DType type, long seed, int... dims) {
        Tensor t = memory.memory().allocate("t", new Spec(Shape.of(dims), type));
        Operands.fill(CpuMemory.data(t), type, t.elements(), seed);
        return t;
    }

    private static double[] exact(Tensor t) {
        double[] values = new double[(int) t.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Operands.read(CpuMemory.data(t), t.dtype(), (long) i * t.dtype().bytes());
        }
        return values;
    }

    /// `before + op(a)·op(b)` per matrix of the batch, in float64 and, multiplied by `scale`, in naive float32.
    private static void check(Tensor a, boolean transposeA, Tensor b, boolean transposeB, double scale, double[] before, Tensor y) {
        double[] left = exact(a);
        double[] right = exact(b);
        int m = y.dim(-2);
        int n = y.dim(-1);
        int k = a.dim(transposeA ? -2 : -1);
        double[] expected = before.clone();
        float[] naive = new float[expected.length];
        for (int i = 0; i < expected.length; i++) {
            int z = i / (m * n);
            int row = i / n % m;
            int column = i % n;
            int atB = b.shape().rank() == 2 ? 0 : z * k * n;
            double sum = 0;
            float roundedSum = 0;
            for (int p = 0; p < k; p++) {
                double l = left[z * m * k + (transposeA ? p * m + row : row * k + p)];
                double r = right[atB + (transposeB ? column * k + p : p * n + column)];
                sum += l * r;
                roundedSum += (float) l * (float) r;
            }
            naive[i] = (float) before[i] + (float) scale * roundedSum;
            expected[i] += scale * sum;
        }
        Operands.assertClose("%s·%s".formatted(a.shape(), b.shape()), expected, naive, CpuMemory.data(y).toArray(JAVA_FLOAT));
    }

    @Test void batchesWithAllTransposes() {
        for (int t = 0; t < 4; t++) {
            boolean ta = (t & 1) != 0;
            boolean tb = (t & 2) != 0;
            Tensor a = ta ? random(DType.F32, 1, 2, 3, 40, 13) : random(DType.F32, 1, 2, 3, 13, 40);
            Tensor b = tb ? random(DType.F32, 2, 2, 3, 7, 40) : random(DType.F32, 2, 2, 3, 40, 7);
            Tensor y = random(DType.F32, 3, 2, 3, 13, 7);
            matrix.matmul(a, ta, b, tb, y);
            check(a, ta, b, tb, 1, new double[2 * 3 * 13 * 7], y);
            double[] before = exact(y);
            matrix.matmulAcc(a, ta, b, tb, y);
            check(a, ta, b, tb, 1, before, y);
        }
    }

    @Test void aRightOperandOfRankTwoIsShared() {
        Tensor w = random(DType.BF16, 2, 33, 64);
        Tensor y = random(DType.F32, 3, 4, 7, 33);
        Tensor a = random(DType.F32, 1, 4, 7, 64);
        matrix.matmul(a, false, w, true, y);
        check(a, false, w, true, 1, new double[4 * 7 * 33], y);
        Tensor turned = random(DType.F32, 1, 4, 64, 7);
        matrix.matmul(turned, true, w, true, y);
        check(turned, true, w, true, 1, new double[4 * 7 * 33], y);
    }

    @Test void linearAddsItsBias() {
        Tensor x = random(DType.F32, 1, 2, 5, 64);
        Tensor w = random(DType.F16, 2, 48, 64);
        Tensor bias = random(DType.F32, 3, 48);
        Tensor y = random(DType.F32, 4, 2, 5, 48);
        matrix.linear(x, w, bias, y);
        double[] biases = exact(bias);
        double[] before = new double[2 * 5 * 48];
        for (int i = 0; i < before.length; i++) {
            before[i] = biases[i % 48];
        }
        check(x, false, w, true, 1, before, y);
    }

    @Test void aLowRankUpdateAddsTheScaledProduct() {
        Tensor x = random(DType.F32, 1, 2, 50, 64);
        Tensor down = random(DType.F32, 2, 4, 64);
        Tensor up = random(DType.F32, 3, 48, 4);
        Tensor xa = random(DType.F32, 4, 2, 50, 4);
        Tensor y = random(DType.F32, 5, 2, 50, 48);
        double[] before = exact(y);
        matrix.loraAcc(x, down, up, 0.25, xa, y);
        check(x, false, down, true, 0.25, new double[2 * 50 * 4], xa);
        check(xa, false, up, true, 1, before, y);
    }

    @Test void refusesBatchesThatDisagree() {
        Tensor a = random(DType.F32, 1, 3, 4, 5);
        Tensor b = random(DType.F32, 1, 2, 5, 6);
        Tensor y = random(DType.F32, 1, 3, 4, 6);
        assertEquals("matmul: operands must have a batch of 3, got 't' [2,5,6] F32",
                assertThrows(ShapeException.class, () -> matrix.matmul(a, false, b, false, y)).getMessage());
    }
}
