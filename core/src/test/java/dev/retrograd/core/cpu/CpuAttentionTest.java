package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Special cases; {@link ReferenceBackend} judges.
class CpuAttentionTest {
    private static final List<String> NAMES = List.of("y", "logSumExp", "dq", "dk", "dv");

    private final CpuTensors tensors = new CpuTensors();
    private final Workers workers = new Workers(2);
    private final CpuAttention attention = new CpuAttention(workers);
    private final RandomValues random = new RandomValues(5);

    @AfterEach void close() {
        workers.close();
        tensors.close();
    }

    private record Case(AttentionSpec spec, int images, int queries, int keys, int channels, float[] q, float[] k, float[] v, float[] dy) {
        int[] queryShape() {
            return new int[] {images, queries, channels};
        }

        int[] keyShape() {
            return new int[] {images, keys, channels};
        }
    }

    private Case random(int images, int heads, int queries, int keys, int width, boolean causal) {
        int channels = heads * width;
        long n = (long) images * queries * channels;
        long m = (long) images * keys * channels;
        return new Case(new AttentionSpec(heads, 1 / Math.sqrt(width), causal), images, queries, keys, channels,
                random.normal(n), random.normal(m), random.normal(m), random.normal(n));
    }

    /// y, logSumExp, dq, dk, dv.
    private static List<float[]> run(CpuAttention attention, CpuTensors tensors, Case c) {
        Tensor q = tensors.of(c.q, c.queryShape());
        Tensor k = tensors.of(c.k, c.keyShape());
        Tensor v = tensors.of(c.v, c.keyShape());
        Tensor dy = tensors.of(c.dy, c.queryShape());
        Tensor y = tensors.empty(c.queryShape());
        Tensor logSumExp = tensors.empty(c.images, c.spec.heads(), c.queries);
        Tensor delta = tensors.empty(c.images, c.spec.heads(), c.queries);
        Tensor dq = tensors.empty(c.queryShape());
        Tensor dk = tensors.empty(c.keyShape());
        Tensor dv = tensors.empty(c.keyShape());
        attention.attention(c.spec, q, k, v, y, logSumExp);
        new AttentionBackward(attention).run(c.spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
        return List.of(CpuTensors.floats(y), CpuTensors.floats(logSumExp), CpuTensors.floats(dq), CpuTensors.floats(dk), CpuTensors.floats(dv));
    }

    private static List<double[]> expected(Case c) {
        try (ReferenceBackend r = new ReferenceBackend()) {
            Shape queryShape = Shape.of(c.queryShape());
            Shape keyShape = Shape.of(c.keyShape());
            Shape rows = Shape.of(c.images, c.spec.heads(), c.queries);
            Tensor q = r.doubles("q", queryShape, Close.widened(c.q));
            Tensor k = r.doubles("k", keyShape, Close.widened(c.k));
            Tensor v = r.doubles("v", keyShape, Close.widened(c.v));
            Tensor dy = r.doubles("dy", queryShape, Close.widened(c.dy));
            Tensor y = r.zeros("y", q.spec());
            Tensor logSumExp = r.zeros("logSumExp", q.spec().with(rows));
            Tensor delta = r.zeros("delta", q.spec().with(rows));
            Tensor dq = r.zeros("dq", q.spec());
            Tensor dk = r.zeros("dk", k.spec());
            Tensor dv = r.zeros("dv", v.spec());
            r.attention(c.spec, q, k, v, y, logSumExp);
            r.attentionBackward(c.spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
            return List.of(r.toDoubles(y), r.toDoubles(logSumExp), r.toDoubles(dq), r.toDoubles(dk), r.toDoubles(dv));
        }
    }

    private void assertAgrees(Case c, double limit) {
        List<double[]> expected = expected(c);
        List<float[]> actual = run(attention, tensors, c);
        for (int i = 0; i < NAMES.size(); i++) {
            Close.relativeL2(NAMES.get(i), expected.get(i), Close.widened(actual.get(i)), limit);
        }
    }

    @ParameterizedTest
    @CsvSource({"2,4,64,64,16,false", "2,4,16,77,16,false", "1,8,50,77,40,false", "1,2,133,70,10,false", "1,3,5,7,5,false", "1,1,1,9,4,false",
        "1,1,40,130,160,false", "1,1,70,33,512,false", "2,12,77,77,8,true", "1,2,150,150,64,true", "1,1,700,90,12,true", "1,1,90,700,3,true", "1,2,1030,600,8,false"})
    void agreesInEveryHeadWidthAndLength(int images, int heads, int queries, int keys, int width, boolean causal) {
        assertAgrees(random(images, heads, queries, keys, width, causal), 2e-6);
    }

    @Test void oneKeyGivesItsValue() {
        Case c = random(2, 2, 37, 1, 12, false);
        List<float[]> results = run(attention, tensors, c);
        for (int i = 0; i < c.q.length; i++) {
            assertEquals(c.v[i / (37 * 24) * 24 + i % 24], results.get(0)[i], 1e-6f, "y[" + i + "]");
        }
        assertTrue(IntStream.range(0, c.q.length).allMatch(i -> Math.abs(results.get(2)[i]) < 1e-5), "dq must vanish");
    }

    @Test void theFirstCausalRowSeesTheFirstKeyOnly() {
        Case c = random(1, 1, 65, 65, 8, true);
        float[] y = run(attention, tensors, c).get(0);
        for (int d = 0; d < 8; d++) {
            assertEquals(c.v[d], y[d], 1e-6f);
        }
    }

    @ParameterizedTest @ValueSource(floats = {1e3f, 1e15f})
    void hugeScoresDoNotOverflow(float factor) {
        Case c = random(1, 2, 70, 150, 8, false);
        for (int i = 0; i < c.q.length; i++) {
            c.q[i] *= factor;
        }
        for (float[] result : run(attention, tensors, c).subList(0, 2)) {
            for (float value : result) {
                assertTrue(Float.isFinite(value), "must be finite, got " + value);
            }
        }
    }

    @Test void aMaximumThatRisesLateIsAccountedFor() {
        Case c = random(1, 1, 40, 200, 8, false);
        for (int i = 0; i < c.k.length; i++) {
            c.k[i] *= i / 8 / 10f;
        }
        assertAgrees(c, 1e-5);
    }

    @Test void aNaNInAKeyReachesEveryRowOfItsHead() {
        Case c = random(1, 2, 9, 80, 4, false);
        c.k[70 * 8] = Float.NaN;
        float[] y = run(attention, tensors, c).get(0);
        for (int i = 0; i < y.length; i++) {
            assertEquals(i % 8 < 4, Float.isNaN(y[i]), "y[" + i + "]");
        }
    }

    @Test void bitsDoNotDependOnTheNumberOfThreads() {
        Case c = random(1, 2, 600, 300, 20, false);
        try (Workers one = new Workers(1); Workers three = new Workers(3)) {
            List<float[]> first = run(new CpuAttention(one), tensors, c);
            List<float[]> second = run(new CpuAttention(three), tensors, c);
            for (int i = 0; i < NAMES.size(); i++) {
                assertArrayEquals(first.get(i), second.get(i), NAMES.get(i));
            }
        }
    }

    @Test void machineCodeHasTheBitsOfCompiledVectors() {
        assumeTrue(MachineCode.AVAILABLE, MachineCode.OBSTACLE::toString);
        for (Case c : List.of(random(1, 2, 130, 77, 20, false), random(2, 1, 77, 77, 13, true), random(1, 8, 100, 205, 40, false), random(1, 8, 33, 70, 3, true))) {
            List<float[]> expected = run(new CpuAttention(workers, new VectorAttentionProduct()), tensors, c);
            List<float[]> actual = run(new CpuAttention(workers, new MachineAttentionProduct()), tensors, c);
            for (int i = 0; i < NAMES.size(); i++) {
                assertArrayEquals(expected.get(i), actual.get(i), NAMES.get(i) + " of " + c.spec);
            }
        }
    }
}
