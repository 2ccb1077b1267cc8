package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.RandomValues;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Machine code checks no bounds. So operands and results lie against pages that must not be touched, and the bits have to be those of
/// compiled vectors on memory with room around it.
class MachineKernelTest {
    private static final int[] DEPTHS = {0, 1, 7, 8, 9, 15, 16, 17, 384, 385, 800};
    private static final int ROWS = 13;
    private static final int COLUMNS = 65;
    private static final long FAR = (1L << 27) + 16;

    private final Guarded last = new Guarded(true);
    private final Guarded first = new Guarded(false);
    private final Workers workers = new Workers(1);
    private final RandomValues random = new RandomValues(11);

    @BeforeEach void machineCode() {
        assumeTrue(MachineCode.AVAILABLE, MachineCode.OBSTACLE::toString);
    }

    @AfterEach void close() {
        workers.close();
        last.close();
        first.close();
    }

    /// Tensors that end, or begin, where a page does that must not be touched.
    private static final class Guarded implements AutoCloseable {
        private final boolean atEnd;
        private final CpuMemory memory = new CpuMemory(false);
        private final List<GuardedMemory> pages = new ArrayList<>();

        Guarded(boolean atEnd) {
            this.atEnd = atEnd;
        }

        MemorySegment of(float[] values) {
            GuardedMemory guarded = new GuardedMemory(4L * values.length);
            pages.add(guarded);
            MemorySegment segment = atEnd ? guarded.last(values.length) : guarded.first(values.length);
            return segment.copyFrom(MemorySegment.ofArray(values));
        }

        Tensor of(float[] values, Shape shape) {
            return memory.share("guarded " + shape, new Spec(shape, DType.F32), of(values));
        }

        Tensor empty(Shape shape) {
            return of(new float[(int) shape.elements()], shape);
        }

        @Override public void close() {
            memory.close();
            pages.forEach(GuardedMemory::close);
        }
    }

    private static List<MicroKernel> machineKernels() {
        return IntStream.of(256, 512).filter(bits -> bits <= Float.SIZE * VectorMath.LANES).<MicroKernel>mapToObj(bits -> new MachineKernel(VectorKernel.ofBits(bits))).toList();
    }

    private static float[] values(Tensor t) {
        return CpuMemory.data(t).toArray(JAVA_FLOAT);
    }

    /// Operands of `rows` by `columns` outputs and what products of all of them give; blocks of them are the tests' products.
    private final class Products {
        private final int rows;
        private final int columns;
        private final int depth;
        private final MemorySegment[] a;
        private final MemorySegment[] b;
        private final MemorySegment bias;
        private final MemorySegment c;
        private final float[] before;
        private final List<float[]> expected = new ArrayList<>();

        Products(Guarded at, int rows, int columns, int depth) {
            this.rows = rows;
            this.columns = columns;
            this.depth = depth;
            float[] left = random.normal((long) rows * depth);
            float[] right = random.normal((long) depth * columns);
            a = new MemorySegment[] {at.of(left), at.of(turned(left, rows, depth))};
            b = new MemorySegment[] {at.of(right), at.of(turned(right, depth, columns))};
            bias = at.of(random.normal(columns));
            before = random.normal((long) rows * columns);
            c = at.of(before);
            try (Gemm gemm = new Gemm(workers, VectorKernel.ofBits(128))) {
                for (int update = 0; update < 2; update++) {
                    multiply(gemm, 0, 0, 0, rows, columns, update);
                    expected.add(c.toArray(JAVA_FLOAT));
                }
            }
        }

        private static float[] turned(float[] matrix, int rows, int columns) {
            float[] turned = new float[matrix.length];
            for (int i = 0; i < turned.length; i++) {
                turned[i] = matrix[i % rows * columns + i / rows];
            }
            return turned;
        }

        /// @param turned bit 0: A lies transposed, bit 1: B does
        private void multiply(Gemm gemm, int turned, int row, int column, int m, int n, int update) {
            Matrix left = (turned & 1) == 0 ? Matrix.of(a[0], 4L * row * depth, m, depth) : Matrix.of(a[1], 4L * row, depth, m).rowStride(rows).transpose();
            Matrix right = (turned & 2) == 0 ? Matrix.of(b[0], 4L * column, depth, n).rowStride(columns) : Matrix.of(b[1], 4L * column * depth, n, depth).transpose();
            Epilogue epilogue = update == 0 ? Epilogue.OVERWRITE : Epilogue.ACCUMULATE.scaled(0.5f).withBias(bias, 4L * column);
            c.copyFrom(MemorySegment.ofArray(before));
            gemm.multiply(1, left, right, Matrix.of(c, 4L * (row * columns + column), m, n).rowStride(columns), epilogue);
        }

        void check(Gemm gemm, int turned, int row, int column, int m, int n) {
            int update = (turned + m + n) % 2;
            multiply(gemm, turned, row, column, m, n, update);
            float[] wanted = before.clone();
            for (int r = row; r < row + m; r++) {
                System.arraycopy(expected.get(update), r * columns + column, wanted, r * columns + column, n);
            }
            assertArrayEquals(wanted, c.toArray(JAVA_FLOAT), () -> "%d×%d×%d turned %d update %d, %d by %d from %d, %d".formatted(rows, columns, depth, turned, update, m, n, row, column));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void productsReadAndWriteNothingOutside(boolean tall) {
        int rows = tall ? COLUMNS : ROWS;
        int columns = tall ? ROWS : COLUMNS;
        for (MicroKernel kernel : machineKernels()) {
            try (Gemm gemm = new Gemm(workers, kernel)) {
                for (int depth : DEPTHS) {
                    Products atEnd = new Products(last, rows, columns, depth);
                    Products atStart = new Products(first, rows, columns, depth);
                    for (int m = 1; m <= rows; m++) {
                        for (int n = 1; n <= columns; n++) {
                            for (int turned = 0; turned < 4; turned++) {
                                atEnd.check(gemm, turned, rows - m, columns - n, m, n);
                            }
                            atStart.check(gemm, (m + n) % 4, 0, 0, m, n);
                        }
                    }
                }
            }
        }
    }

    /// The matrix with rows half a gigabyte apart.
    private static MemorySegment farApart(GuardedMemory pages, float[] matrix, int rows, int columns) {
        MemorySegment far = pages.last((rows - 1) * FAR + columns);
        for (int row = 0; row < rows; row++) {
            MemorySegment.copy(matrix, row * columns, far, JAVA_FLOAT, 4 * row * FAR, columns);
        }
        return far;
    }

    @Test void rowsMayLieBeyondWhatThirtyTwoBitsAddress() {
        int m = 13, n = 33, k = 18;
        float[] a = random.normal((long) m * k), b = random.normal((long) k * n);
        try (GuardedMemory pagesA = new GuardedMemory(4 * k * FAR); GuardedMemory pagesB = new GuardedMemory(4 * n * FAR); GuardedMemory pagesC = new GuardedMemory(4 * m * FAR)) {
            for (int turned = 0; turned < 4; turned++) {
                Matrix left = (turned & 1) == 0 ? Matrix.of(farApart(pagesA, a, m, k), 0, m, k).rowStride(FAR) : Matrix.of(farApart(pagesA, a, k, m), 0, k, m).rowStride(FAR).transpose();
                Matrix right = (turned & 2) == 0 ? Matrix.of(farApart(pagesB, b, k, n), 0, k, n).rowStride(FAR) : Matrix.of(farApart(pagesB, b, n, k), 0, n, k).rowStride(FAR).transpose();
                Matrix result = Matrix.of(pagesC.last((m - 1) * FAR + n), 0, m, n).rowStride(FAR);
                List<MicroKernel> kernels = new ArrayList<>(List.of(VectorKernel.ofBits(128)));
                kernels.addAll(machineKernels());
                List<float[]> results = new ArrayList<>();
                for (MicroKernel kernel : kernels) {
                    farApart(pagesC, new float[m * n], m, n);
                    try (Gemm gemm = new Gemm(workers, kernel)) {
                        gemm.multiply(1, left, right, result, Epilogue.OVERWRITE);
                    }
                    float[] c = new float[m * n];
                    for (int row = 0; row < m; row++) {
                        MemorySegment.copy(result.data(), JAVA_FLOAT, 4 * row * FAR, c, row * n, n);
                    }
                    results.add(c);
                    assertArrayEquals(product(left, right), c, 1e-4f, "turned " + turned);
                    assertArrayEquals(results.getFirst(), c, "turned " + turned);
                }
            }
        }
    }

    private static float[] product(Matrix a, Matrix b) {
        float[] c = new float[a.rows() * b.columns()];
        for (int i = 0; i < c.length; i++) {
            double sum = 0;
            for (int p = 0; p < a.columns(); p++) {
                sum += (double) at(a, i / b.columns(), p) * at(b, p, i % b.columns());
            }
            c[i] = (float) sum;
        }
        return c;
    }

    private static float at(Matrix matrix, int row, int column) {
        return matrix.data().get(JAVA_FLOAT, 4 * (row * matrix.rowStride() + column * matrix.columnStride()));
    }

    /// y, dx and dw.
    private static List<float[]> convolutions(Gemm gemm, ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor dy, Guarded at) {
        CpuConvolution convolution = new CpuConvolution(gemm);
        Tensor y = at.empty(dy.shape());
        Tensor dx = at.empty(x.shape());
        Tensor dw = at.empty(w.shape());
        convolution.conv2d(spec, x, w, bias, y);
        convolution.conv2dBackwardInput(spec, dy, w, dx);
        convolution.conv2dBackwardWeight(spec, x, dy, dw);
        return List.of(values(y), values(dx), values(dw));
    }

    @Test void convolutionsReadAndWriteNothingOutside() {
        List<ConvSpec> specs = List.of(ConvSpec.square(3, 1, 1), ConvSpec.square(3, 2, 1), new ConvSpec(3, 3, 2, 0, 1, 0, 1), ConvSpec.square(1, 1, 0), ConvSpec.square(1, 2, 0));
        for (ConvSpec spec : specs) {
            for (int[] size : new int[][] {{5, 13, 3, 17}, {4, 25, 16, 33}, {3, 14, 40, 5}, {2, 31, 260, 32}, {7, 5, 33, 260}, {2, 2, 7, 1}}) {
                Shape image = Shape.of(2, size[0], size[1], size[2]);
                Shape weight = Shape.of(size[3], spec.kernelHeight(), spec.kernelWidth(), size[2]);
                Shape out = Shape.of(2, spec.outHeight(size[0]), spec.outWidth(size[1]), size[3]);
                float[] x = random.normal(image.elements());
                float[] w = random.normal(weight.elements());
                float[] bias = random.normal(size[3]);
                float[] dy = random.normal(out.elements());
                for (Guarded at : List.of(last, first)) {
                    List<List<float[]>> results = new ArrayList<>();
                    List<MicroKernel> kernels = new ArrayList<>(List.of(VectorKernel.ofBits(128)));
                    kernels.addAll(machineKernels());
                    for (MicroKernel kernel : kernels) {
                        try (Gemm gemm = new Gemm(workers, kernel)) {
                            results.add(convolutions(gemm, spec, at.of(x, image), at.of(w, weight), at.of(bias, Shape.of(size[3])), at.of(dy, out), at));
                        }
                    }
                    for (List<float[]> result : results) {
                        for (int i = 0; i < 3; i++) {
                            assertArrayEquals(results.getFirst().get(i), result.get(i), List.of("y", "dx", "dw").get(i) + " of " + spec + " of " + image);
                        }
                    }
                }
            }
        }
    }

    @Test void attentionReadsAndWritesNothingOutside() {
        for (int[] size : new int[][] {{1, 1, 1, 1}, {2, 13, 70, 3}, {8, 33, 65, 13}, {8, 77, 77, 16}, {1, 130, 11, 40}, {3, 1, 200, 5}}) {
            for (boolean causal : new boolean[] {false, true}) {
                Shape queries = Shape.of(1, size[1], size[0] * size[3]);
                Shape keys = Shape.of(1, size[2], size[0] * size[3]);
                Shape rows = Shape.of(1, size[0], size[1]);
                AttentionSpec spec = new AttentionSpec(size[0], 0.3, causal);
                float[] q = random.normal(queries.elements()), k = random.normal(keys.elements()), v = random.normal(keys.elements()), dy = random.normal(queries.elements());
                for (Guarded at : List.of(last, first)) {
                    List<List<float[]>> results = new ArrayList<>();
                    for (AttentionProduct product : List.of(new VectorAttentionProduct(), new MachineAttentionProduct())) {
                        CpuAttention attention = new CpuAttention(workers, product);
                        Tensor qs = at.of(q, queries), ks = at.of(k, keys), vs = at.of(v, keys), y = at.empty(queries), sums = at.empty(rows);
                        Tensor dq = at.empty(queries), dk = at.empty(keys), dv = at.empty(keys);
                        attention.attention(spec, qs, ks, vs, y, sums);
                        new AttentionBackward(attention).run(spec, qs, ks, vs, y, sums, at.of(dy, queries), at.empty(rows), dq, dk, dv);
                        results.add(List.of(values(y), values(sums), values(dq), values(dk), values(dv)));
                    }
                    for (int i = 0; i < 5; i++) {
                        assertArrayEquals(results.getFirst().get(i), results.getLast().get(i), List.of("y", "logSumExp", "dq", "dk", "dv").get(i) + " of " + queries + keys);
                    }
                }
            }
        }
    }
}
