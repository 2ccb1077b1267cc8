package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class GemmTest {

    private static final int[] SIZES = {1, 7, 13, 64, 207};

    /// A product with its expected values.
    private record Case(String name, int batch, Matrix a, Matrix b, Matrix c, Epilogue epilogue) {

        void check(Gemm gemm) {
            float[] left = dense(a, batch);
            float[] right = dense(b.transpose(), batch);
            double[] exact = new double[batch * c.rows() * c.columns()];
            float[] naive = new float[exact.length];
            for (int i = 0; i < exact.length; i++) {
                int z = i / (c.rows() * c.columns());
                int row = i / c.columns() % c.rows();
                int column = i % c.columns();
                int depth = a.columns();
                double sum = 0;
                float roundedSum = 0;
                for (int k = 0; k < depth; k++) {
                    float x = left[(z * c.rows() + row) * depth + k];
                    float y = right[(z * c.columns() + column) * depth + k];
                    sum += (double) x * y;
                    roundedSum += x * y;
                }
                boolean biased = epilogue.bias().byteSize() > 0;
                float bias = biased ? epilogue.bias().get(JAVA_FLOAT, epilogue.biasOffset() + 4L * column) : 0;
                float before = epilogue.accumulate() ? at(c, z, row, column) : 0;
                exact[i] = epilogue.alpha() * sum + bias + before;
                naive[i] = epilogue.alpha() * roundedSum + bias + before;
            }
            gemm.multiply(batch, a, b, c, epilogue);
            Operands.assertClose(name, exact, naive, dense(c, batch));
        }
    }

    private static float[] dense(Matrix m, int batch) {
        float[] values = new float[batch * m.rows() * m.columns()];
        for (int i = 0; i < values.length; i++) {
            values[i] = at(m, i / (m.rows() * m.columns()), i / m.columns() % m.rows(), i % m.columns());
        }
        return values;
    }

    /// Compiled vectors of the widths that run natively here (a wider one would be emulated, correct but far too slow to test), and machine
    /// code of those that it is written for.
    static Stream<Named<MicroKernel>> kernels() {
        Stream<VectorKernel> vectors = IntStream.of(128, 256, 512).filter(bits -> bits <= FloatVector.SPECIES_PREFERRED.vectorBitSize())
                .mapToObj(VectorKernel::ofBits);
        return vectors.flatMap(kernel -> {
            Named<MicroKernel> compiled = Named.of(kernel.lanes() + " lanes", kernel);
            return kernel.lanes() > 4 && MachineCode.AVAILABLE
                    ? Stream.of(compiled, Named.of(kernel.lanes() + " lanes, machine code", new MachineKernel(kernel))) : Stream.of(compiled);
        });
    }

    private static float at(Matrix m, int z, int row, int column) {
        long index = z * m.batchStride() + row * m.rowStride() + column * m.columnStride();
        return Operands.read(m.data(), m.type(), m.offset() + index * m.type().bytes());
    }

    private static Case product(Arena arena, int m, int n, int k, boolean aTurned, boolean bTurned, Epilogue epilogue) {
        MemorySegment a = Operands.random(arena, DType.F32, (long) m * k, 1);
        MemorySegment b = Operands.random(arena, DType.F32, (long) k * n, 2);
        MemorySegment c = Operands.random(arena, DType.F32, (long) m * n, 3);
        return new Case("%d×%d×%d turned %s %s".formatted(m, n, k, aTurned, bTurned), 1,
                aTurned ? Matrix.of(a, 0, k, m).transpose() : Matrix.of(a, 0, m, k),
                bTurned ? Matrix.of(b, 0, n, k).transpose() : Matrix.of(b, 0, k, n), Matrix.of(c, 0, m, n), epilogue);
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void everySizeAndTransposeAgreesWithFloat64(MicroKernel kernel) {
        try (Workers workers = new Workers(2); Gemm gemm = new Gemm(workers, kernel); Arena arena = Arena.ofConfined()) {
            for (int m : SIZES) {
                for (int n : SIZES) {
                    for (int k : SIZES) {
                        for (int turned = 0; turned < 4; turned++) {
                            product(arena, m, n, k, (turned & 1) != 0, (turned & 2) != 0, Epilogue.OVERWRITE).check(gemm);
                        }
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void sizesOfTheModelsAgreeWithFloat64(MicroKernel kernel) {
        int[][] sizes = {{1024, 64, 288}, {4096, 32, 36}, {77, 768, 768}, {77, 1300, 401}, {1, 1280, 320}, {2, 128, 512},
            {320, 4, 1024}, {1024, 4, 320}, {64, 77, 40}};
        try (Workers workers = new Workers(2); Gemm gemm = new Gemm(workers, kernel); Arena arena = Arena.ofConfined()) {
            for (int[] s : sizes) {
                product(arena, s[0], s[1], s[2], false, true, Epilogue.OVERWRITE).check(gemm);
                product(arena, s[0], s[1], s[2], true, false, Epilogue.OVERWRITE).check(gemm);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void alphaBiasAndAccumulateCombine(MicroKernel kernel) {
        try (Workers workers = new Workers(2); Gemm gemm = new Gemm(workers, kernel); Arena arena = Arena.ofConfined()) {
            MemorySegment bias = Operands.random(arena, DType.F32, 300, 4);
            for (Epilogue e : List.of(Epilogue.ACCUMULATE, Epilogue.ACCUMULATE.scaled(-0.3f), Epilogue.OVERWRITE.scaled(2),
                    Epilogue.OVERWRITE.withBias(bias, 12), Epilogue.ACCUMULATE.scaled(0.5f).withBias(bias, 0))) {
                for (int[] s : new int[][] {{13, 207, 801}, {207, 13, 500}, {3, 207, 64}, {29, 64, 0}, {5, 5, 1}}) {
                    product(arena, s[0], s[1], s[2], false, true, e).check(gemm);
                    product(arena, s[0], s[1], s[2], true, false, e).check(gemm);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F16", "BF16"})
    void sixteenBitOperandsAreReadExactly(DType type) {
        try (Workers workers = new Workers(2); Gemm gemm = new Gemm(workers); Arena arena = Arena.ofConfined()) {
            for (int[] s : new int[][] {{64, 207, 401}, {7, 300, 64}, {207, 13, 13}}) {
                MemorySegment a = Operands.random(arena, type, (long) s[0] * s[2], 1);
                MemorySegment b = Operands.random(arena, type, (long) s[1] * s[2], 2);
                Matrix c = Matrix.of(arena.allocate(4L * s[0] * s[1], 64), 0, s[0], s[1]);
                for (int turned = 0; turned < 4; turned++) {
                    Matrix left = (turned & 1) != 0 ? Matrix.of(a, 0, s[2], s[0]).transpose() : Matrix.of(a, 0, s[0], s[2]);
                    Matrix right = (turned & 2) != 0 ? Matrix.of(b, 0, s[1], s[2]).transpose() : Matrix.of(b, 0, s[2], s[1]);
                    new Case(type + " " + turned, 1, left.as(type), right.as(type), c, Epilogue.OVERWRITE).check(gemm);
                }
            }
        }
    }

    @Test void everyHalfIsReadAsTheJdkReadsIt() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment halves = arena.allocate(2L << 16, 64);
            MemorySegment brains = arena.allocate(2L << 16, 64);
            for (int i = 0; i < 1 << 16; i++) {
                halves.setAtIndex(JAVA_SHORT, i, (short) i);
                brains.setAtIndex(JAVA_SHORT, i, (short) i);
            }
            MemorySegment out = arena.allocate(4L << 16, 64);
            float[] outArray = new float[1 << 16];
            for (DType type : List.of(DType.F16, DType.BF16)) {
                MemorySegment in = type == DType.F16 ? halves : brains;
                Widening.read(type, in.address(), out.address(), 1 << 16);
                Widening.read(type, in.address(), outArray, 0, 1 << 16);
                for (int i = 0; i < 1 << 16; i++) {
                    float expected = Operands.read(in, type, 2L * i);
                    assertEquals(expected, out.getAtIndex(JAVA_FLOAT, i), "native " + type + " " + i);
                    assertEquals(expected, outArray[i], "array " + type + " " + i);
                }
            }
        }
    }

    @Test void stridedBatchesAndSharedOperands() {
        try (Workers workers = new Workers(3); Gemm gemm = new Gemm(workers); Arena arena = Arena.ofConfined()) {
            // Attention over heads side by side: tokens [N, A·D], head h at column h·D.
            int heads = 5, tokens = 77, width = 40;
            MemorySegment q = Operands.random(arena, DType.F32, (long) tokens * heads * width, 1);
            MemorySegment k = Operands.random(arena, DType.F32, (long) tokens * heads * width, 2);
            MemorySegment scores = arena.allocate(4L * heads * tokens * tokens, 64);
            Matrix queries = Matrix.of(q, 0, tokens, width).rowStride(heads * width).batchStride(width);
            Matrix keys = Matrix.of(k, 0, tokens, width).rowStride(heads * width).batchStride(width);
            Matrix s = Matrix.of(scores, 0, tokens, tokens).batchStride(tokens * tokens);
            new Case("QKᵀ", heads, queries, keys.transpose(), s, Epilogue.OVERWRITE.scaled(0.16f)).check(gemm);
            MemorySegment mixed = arena.allocate(4L * tokens * heads * width, 64);
            Matrix out = Matrix.of(mixed, 0, tokens, width).rowStride(heads * width).batchStride(width);
            new Case("PV", heads, s, keys, out, Epilogue.OVERWRITE).check(gemm);
            new Case("PᵀV", heads, s.transpose(), keys, out, Epilogue.ACCUMULATE).check(gemm);
            new Case("shared B", heads, s, keys.batchStride(0), out, Epilogue.OVERWRITE).check(gemm);
        }
    }

    @Test void leavesMemoryOutsideTheResultAlone() {
        try (Workers workers = new Workers(2); Gemm gemm = new Gemm(workers); Arena arena = Arena.ofConfined()) {
            for (int n : new int[] {1, 5, 16, 17, 33}) {
                for (int m : new int[] {1, 6, 13, 40}) {
                    MemorySegment a = Operands.random(arena, DType.F32, m * 20L, 1);
                    MemorySegment b = Operands.random(arena, DType.F32, n * 20L, 2);
                    MemorySegment c = arena.allocate(4L * (m + 2) * 50, 64);
                    Matrix inner = Matrix.of(c, 4 * (50 + 3), m, n).rowStride(50);
                    gemm.multiply(1, Matrix.of(a, 0, m, 20), Matrix.of(b, 0, n, 20).transpose(), inner, Epilogue.OVERWRITE);
                    for (int i = 0; i < (m + 2) * 50; i++) {
                        boolean inside = i / 50 >= 1 && i / 50 <= m && i % 50 >= 3 && i % 50 < 3 + n;
                        assertEquals(inside, c.getAtIndex(JAVA_FLOAT, i) != 0, "m %d, n %d, float %d".formatted(m, n, i));
                    }
                }
            }
        }
    }

    @Test void sameBitsForAnyNumberOfThreadsAndAnyKernel() {
        int[][] sizes = {{207, 1300, 801}, {1024, 64, 288}, {5, 700, 900}, {64, 64, 64}};
        for (int[] s : sizes) {
            for (int turned = 0; turned < 4; turned++) {
                List<float[]> results = new ArrayList<>();
                for (int threads = 1; threads <= 3; threads++) {
                    for (Named<MicroKernel> kernel : kernels().toList()) {
                        try (Workers workers = new Workers(threads); Gemm gemm = new Gemm(workers, kernel.getPayload());
                                Arena arena = Arena.ofConfined()) {
                            Case p = product(arena, s[0], s[1], s[2], (turned & 1) != 0, (turned & 2) != 0, Epilogue.ACCUMULATE);
                            gemm.multiply(1, p.a, p.b, p.c, p.epilogue);
                            results.add(Operands.floats(p.c.data()));
                        }
                    }
                }
                for (float[] result : results) {
                    assertArrayEquals(results.getFirst(), result, 0f);
                }
            }
        }
    }

    @Test void worksInsideAParallelLoop() {
        try (Workers workers = new Workers(3); Gemm gemm = new Gemm(workers); Arena arena = Arena.ofShared()) {
            Case whole = product(arena, 96, 70, 130, false, true, Epilogue.OVERWRITE);
            gemm.multiply(1, whole.a, whole.b, whole.c, whole.epilogue);
            float[] expected = Operands.floats(whole.c.data());
            whole.c.data().fill((byte) 0);
            workers.run(8, i -> gemm.multiply(1, Matrix.of(whole.a.data(), i * 12 * 130 * 4, 12, 130), whole.b,
                    Matrix.of(whole.c.data(), i * 12 * 70 * 4, 12, 70), Epilogue.OVERWRITE));
            assertArrayEquals(expected, Operands.floats(whole.c.data()), 0f);
        }
    }

    @Test void emptyProductsTouchNothing() {
        try (Workers workers = new Workers(2); Gemm gemm = new Gemm(workers); Arena arena = Arena.ofConfined()) {
            MemorySegment c = Operands.random(arena, DType.F32, 12, 1);
            float[] before = Operands.floats(c);
            gemm.multiply(1, Matrix.of(c, 0, 0, 3), Matrix.of(c, 0, 3, 4), Matrix.of(c, 0, 0, 4), Epilogue.OVERWRITE);
            gemm.multiply(1, Matrix.of(c, 0, 3, 3), Matrix.of(c, 0, 3, 0), Matrix.of(c, 0, 3, 0), Epilogue.OVERWRITE);
            gemm.multiply(0, Matrix.of(c, 0, 3, 3), Matrix.of(c, 0, 3, 4), Matrix.of(c, 0, 3, 4), Epilogue.OVERWRITE);
            gemm.multiply(1, Matrix.of(c, 0, 3, 0), Matrix.of(c, 0, 0, 4), Matrix.of(c, 0, 3, 4), Epilogue.ACCUMULATE);
            assertArrayEquals(before, Operands.floats(c));
            gemm.multiply(1, Matrix.of(c, 0, 3, 0), Matrix.of(c, 0, 0, 4), Matrix.of(c, 0, 3, 4), Epilogue.OVERWRITE);
            assertArrayEquals(new float[12], Operands.floats(c));
        }
    }

    @Test void workspaceIsFixedByThreadsAndWidth() {
        try (Workers one = new Workers(1); Workers three = new Workers(3); Gemm small = new Gemm(one); Gemm large = new Gemm(three)) {
            assertEquals(3 * small.workspaceBytes(), large.workspaceBytes());
            assertTrue(small.workspaceBytes() < 2 << 20, () -> "bytes " + small.workspaceBytes());
        }
    }

    @Test void refusesWhatDoesNotFit() {
        try (Workers workers = new Workers(1); Gemm gemm = new Gemm(workers); Arena arena = Arena.ofConfined()) {
            MemorySegment s = arena.allocate(48, 64);
            Matrix m34 = Matrix.of(s, 0, 3, 4);
            assertEquals("gemm: batch 1 of [3,4]·[3,4] must give [3,4], got C [3,4]",
                    assertThrows(IllegalArgumentException.class,
                            () -> gemm.multiply(1, m34, m34, m34, Epilogue.OVERWRITE)).getMessage());
            assertEquals("gemm: left operand: 2 matrices of 3×4 end at byte 96, got a segment of 48",
                    assertThrows(IllegalArgumentException.class, () -> gemm.multiply(2, m34.batchStride(12),
                            Matrix.of(s, 0, 4, 3), Matrix.of(s, 0, 3, 3), Epilogue.OVERWRITE)).getMessage());
            assertEquals("matrix: one stride must be 1, got rows 8 and columns 2 apart",
                    assertThrows(IllegalArgumentException.class,
                            () -> new Matrix(s, 0, DType.F32, 2, 2, 8, 2, 0)).getMessage());
            assertEquals("gemm: bias must hold 4 floats from byte 40, got a segment of 48 bytes",
                    assertThrows(IllegalArgumentException.class, () -> gemm.multiply(1, Matrix.of(s, 0, 3, 0),
                            Matrix.of(s, 0, 0, 4), m34, Epilogue.OVERWRITE.withBias(s, 40))).getMessage());
            Arena closed = Arena.ofConfined();
            MemorySegment dead = closed.allocate(64, 64);
            closed.close();
            assertThrows(IllegalStateException.class, () -> gemm.multiply(1, Matrix.of(dead, 0, 3, 4), Matrix.of(s, 0, 4, 3),
                    Matrix.of(s, 0, 3, 3), Epilogue.OVERWRITE));
        }
    }
}
