package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Special cases; {@link ReferenceBackend} judges.
class CpuNormsTest {
    private static final double EPS = 1e-5;

    private final CpuTensors tensors = new CpuTensors();
    private final Workers workers = new Workers(2);
    private final CpuNorms norms = new CpuNorms(workers);
    private final CpuGroupNorm groupNorms = new CpuGroupNorm(workers);
    private final ReferenceBackend reference = new ReferenceBackend();
    private final RandomValues random = new RandomValues(7);

    @AfterEach void close() {
        workers.close();
        tensors.close();
        reference.close();
    }

    private Tensor expected(float[] values, int... dims) {
        return reference.doubles("x", Shape.of(dims), Close.widened(values));
    }

    private Tensor expected(int... dims) {
        return expected(new float[Math.toIntExact(Shape.of(dims).elements())], dims);
    }

    private void assertClose(String what, Tensor expected, Tensor actual, double limit) {
        Close.relativeL2(what, reference.toDoubles(expected), Close.widened(CpuTensors.floats(actual)), limit);
    }

    @ParameterizedTest
    @CsvSource({"2,7,5,12,3", "1,3,3,10,10", "2,1,1,4,2", "1,5,4,80,1", "1,40,33,64,32", "2,9,9,35,7"})
    void groupNormAndItsGradientsAgreeInAnyGroupWidth(int images, int height, int width, int channels, int groups) {
        int[] dims = {images, height, width, channels};
        int n = images * height * width * channels;
        float[] x = random.normal(n);
        float[] dy = random.normal(n);
        float[] gamma = random.normal(channels);
        float[] beta = random.normal(channels);
        Tensor cx = tensors.of(x, dims);
        Tensor cdy = tensors.of(dy, dims);
        Tensor cgamma = tensors.of(gamma, channels);
        Tensor cbeta = tensors.of(beta, channels);
        Tensor mean = tensors.empty(images, groups);
        Tensor rstd = tensors.empty(images, groups);
        Tensor rx = expected(x, dims);
        Tensor rdy = expected(dy, dims);
        Tensor rgamma = expected(gamma, channels);
        Tensor rbeta = expected(beta, channels);
        Tensor rmean = expected(images, groups);
        Tensor rrstd = expected(images, groups);
        Tensor y = tensors.empty(dims);
        Tensor ry = expected(dims);

        groupNorms.groupNormSilu(groups, EPS, cx, cgamma, cbeta, y, mean, rstd);
        reference.groupNormSilu(groups, EPS, rx, rgamma, rbeta, ry, rmean, rrstd);
        assertClose("silu y", ry, y, 5e-7);
        groupNorms.groupNorm(groups, EPS, cx, cgamma, cbeta, y, mean, rstd);
        reference.groupNorm(groups, EPS, rx, rgamma, rbeta, ry, rmean, rrstd);
        assertClose("y", ry, y, 5e-7);
        assertClose("mean", rmean, mean, 1e-6);
        assertClose("rstd", rrstd, rstd, 1e-6);

        Tensor dx = tensors.empty(dims);
        Tensor rdx = expected(dims);
        groupNorms.groupNormBackward(cx, cgamma, mean, rstd, cdy, dx);
        reference.groupNormBackward(rx, rgamma, rmean, rrstd, rdy, rdx);
        assertClose("dx", rdx, dx, 1e-5);
        Tensor dgamma = tensors.empty(channels);
        Tensor dbeta = tensors.empty(channels);
        Tensor rdgamma = expected(channels);
        Tensor rdbeta = expected(channels);
        groupNorms.groupNormBackwardParameters(cx, mean, rstd, cdy, dgamma, dbeta);
        reference.groupNormBackwardParameters(rx, rmean, rrstd, rdy, rdgamma, rdbeta);
        assertClose("dgamma", rdgamma, dgamma, 1e-6);
        assertClose("dbeta", rdbeta, dbeta, 1e-6);
        groupNorms.groupNormSiluBackward(cx, cgamma, cbeta, mean, rstd, cdy, cdy);
        reference.groupNormSiluBackward(rx, rgamma, rbeta, rmean, rrstd, rdy, rdx);
        assertClose("dz in place", rdx, cdy, 1e-6);
    }

    @ParameterizedTest @ValueSource(doubles = {0, 1e3, -1e5})
    void statisticsSurviveAMeanFarFromZero(double far) {
        int[] dims = {1, 16, 16, 24};
        float[] x = random.normal(16 * 16 * 24);
        for (int i = 0; i < x.length; i++) {
            x[i] += (float) far;
        }
        float[] gamma = random.uniform(24, 0.5, 1.5);
        float[] beta = random.normal(24);
        Tensor y = tensors.empty(dims);
        Tensor ry = expected(dims);
        groupNorms.groupNorm(3, EPS, tensors.of(x, dims), tensors.of(gamma, 24), tensors.of(beta, 24), y, tensors.empty(1, 3), tensors.empty(1, 3));
        reference.groupNorm(3, EPS, expected(x, dims), expected(gamma, 24), expected(beta, 24), ry, expected(1, 3), expected(1, 3));
        assertClose("groupNorm", ry, y, 1e-6);
        norms.layerNorm(EPS, tensors.of(x, 256, 24), tensors.of(gamma, 24), tensors.of(beta, 24), y.reshape(256, 24), tensors.empty(256), tensors.empty(256));
        reference.layerNorm(EPS, expected(x, 256, 24), expected(gamma, 24), expected(beta, 24), ry.reshape(256, 24), expected(256), expected(256));
        assertClose("layerNorm", ry, y, 1e-6);
    }

    @ParameterizedTest @CsvSource({"5,1", "3,7", "9,16", "300,40", "77,768", "2,333"})
    void layerNormAndItsGradientsAgree(int rows, int channels) {
        float[] x = random.normal(rows * channels);
        float[] dy = random.normal(rows * channels);
        float[] gamma = random.normal(channels);
        float[] beta = random.normal(channels);
        Tensor cx = tensors.of(x, rows, channels);
        Tensor cdy = tensors.of(dy, rows, channels);
        Tensor cgamma = tensors.of(gamma, channels);
        Tensor mean = tensors.empty(rows);
        Tensor rstd = tensors.empty(rows);
        Tensor rx = expected(x, rows, channels);
        Tensor rdy = expected(dy, rows, channels);
        Tensor rgamma = expected(gamma, channels);
        Tensor rmean = expected(rows);
        Tensor rrstd = expected(rows);
        Tensor y = tensors.empty(rows, channels);
        Tensor ry = expected(rows, channels);
        norms.layerNorm(0.1, cx, cgamma, tensors.of(beta, channels), y, mean, rstd);
        reference.layerNorm(0.1, rx, rgamma, expected(beta, channels), ry, rmean, rrstd);
        assertClose("y", ry, y, 5e-7);
        norms.layerNormBackward(cx, cgamma, mean, rstd, cdy, y);
        reference.layerNormBackward(rx, rgamma, rmean, rrstd, rdy, ry);
        double scale = Arrays.stream(reference.toDoubles(rgamma)).map(Math::abs).max().orElseThrow();
        Close.elements("dx", reference.toDoubles(ry), Close.widened(CpuTensors.floats(y)), 3e-6 * Math.max(1, scale), 3e-6);
        Tensor dgamma = tensors.empty(channels);
        Tensor dbeta = tensors.empty(channels);
        Tensor rdgamma = expected(channels);
        Tensor rdbeta = expected(channels);
        norms.layerNormBackwardParameters(cx, mean, rstd, cdy, dgamma, dbeta);
        reference.layerNormBackwardParameters(rx, rmean, rrstd, rdy, rdgamma, rdbeta);
        assertClose("dgamma", rdgamma, dgamma, 1e-6);
        assertClose("dbeta", rdbeta, dbeta, 1e-6);
    }

    @ParameterizedTest @CsvSource({"4,1", "3,5", "6,32", "700,77"})
    void softmaxAndItsGradientAgreeForHugeScores(int rows, int channels) {
        float[] x = random.uniform(rows * channels, -3e4, 3e4);
        float[] dy = random.normal(rows * channels);
        Tensor y = tensors.empty(rows, channels);
        Tensor ry = expected(rows, channels);
        norms.softmax(tensors.of(x, rows, channels), y);
        reference.softmax(expected(x, rows, channels), ry);
        assertClose("y", ry, y, 1e-6);
        Tensor dx = tensors.empty(rows, channels);
        Tensor rdx = expected(rows, channels);
        norms.softmaxBackward(y, tensors.of(dy, rows, channels), dx);
        reference.softmaxBackward(ry, expected(dy, rows, channels), rdx);
        Close.elements("dx", reference.toDoubles(rdx), Close.widened(CpuTensors.floats(dx)), 1e-6, 1e-5);
    }

    @Test void softmaxOfMaskedScoresGivesThemZero() {
        float[] x = {Float.NEGATIVE_INFINITY, 1, Float.NEGATIVE_INFINITY, 1};
        Tensor y = tensors.empty(1, 4);
        norms.softmax(tensors.of(x, 1, 4), y);
        assertArrayEquals(new float[] {0, 0.5f, 0, 0.5f}, CpuTensors.floats(y));
    }

    @ParameterizedTest @CsvSource({"1,1", "5,7", "33,1280", "70,20"})
    void gegluAndItsGradientAgree(int rows, int channels) {
        float[] x = random.uniform(rows * channels * 2, -6, 6);
        float[] dy = random.normal(rows * channels);
        Tensor y = tensors.empty(rows, channels);
        Tensor ry = expected(rows, channels);
        norms.geglu(tensors.of(x, rows, 2 * channels), y);
        reference.geglu(expected(x, rows, 2 * channels), ry);
        assertClose("y", ry, y, 5e-7);
        Tensor dx = tensors.empty(rows, 2 * channels);
        Tensor rdx = expected(rows, 2 * channels);
        norms.gegluBackward(tensors.of(x, rows, 2 * channels), tensors.of(dy, rows, channels), dx);
        reference.gegluBackward(expected(x, rows, 2 * channels), expected(dy, rows, channels), rdx);
        assertClose("dx", rdx, dx, 1e-6);
    }

    @Test void refusesTensorsOfOtherSizes() {
        Tensor x = tensors.empty(1, 2, 2, 8);
        Tensor small = tensors.empty(1, 2, 2, 4);
        Tensor four = tensors.empty(4);
        Tensor eight = tensors.empty(8);
        Tensor stats = tensors.empty(1, 2);
        Tensor none = tensors.empty(1, 0, 2, 8);
        assertRefuses("32 elements are required, got", () -> groupNorms.groupNormSilu(2, EPS, x, eight, eight, small, stats, stats));
        assertRefuses("8 elements are required, got", () -> groupNorms.groupNormSilu(2, EPS, x, four, eight, x, stats, stats));
        assertRefuses("8 elements are required, got", () -> groupNorms.groupNorm(2, EPS, x, eight, four, x, stats, stats));
        assertRefuses("a row or more in every image is required, got", () -> groupNorms.groupNorm(2, EPS, none, eight, eight, none, stats, stats));
        assertRefuses("32 elements are required, got", () -> groupNorms.groupNormSiluBackwardInput(x, eight, eight, stats, stats, small, x));
        assertRefuses("32 elements are required, got", () -> groupNorms.groupNormSiluBackwardInput(x, eight, eight, stats, stats, x, small));
        assertRefuses("32 elements are required, got", () -> groupNorms.groupNormBackwardParameters(x, stats, stats, small, eight, eight));
        assertRefuses("8 elements are required, got", () -> norms.layerNorm(EPS, x, eight, four, x, four, four));
        assertRefuses("32 elements are required, got", () -> norms.layerNormBackward(x, eight, four, four, x, small));
        assertRefuses("16 elements are required, got", () -> norms.softmax(small, x));
        assertRefuses("32 elements are required, got", () -> norms.softmaxBackward(x, x, small));
        assertRefuses("64 elements are required, got", () -> norms.geglu(small, x));
        assertRefuses("64 elements are required, got", () -> norms.gegluBackward(x, x, x));
    }

    private static void assertRefuses(String why, Executable call) {
        String message = assertThrows(ShapeException.class, call).getMessage();
        assertTrue(message.contains(why), message);
    }

    @Test void bitsDoNotDependOnTheNumberOfThreads() {
        int[] dims = {2, 64, 64, 40};
        float[] x = random.normal(2 * 64 * 64 * 40);
        float[] dy = random.normal(x.length);
        List<float[]> first = everything(1, x, dy, dims);
        List<float[]> second = everything(3, x, dy, dims);
        assertEquals(8, first.size());
        for (int i = 0; i < first.size(); i++) {
            assertArrayEquals(first.get(i), second.get(i), "result " + i);
        }
    }

    private List<float[]> everything(int threads, float[] x, float[] dy, int... dims) {
        try (Workers team = new Workers(threads); CpuTensors t = new CpuTensors()) {
            CpuGroupNorm g = new CpuGroupNorm(team);
            CpuNorms n = new CpuNorms(team);
            List<Tensor> results = new ArrayList<>();
            Tensor ones = t.of(new RandomValues(3).normal(40), 40);
            Tensor tx = t.of(x, dims);
            Tensor tdy = t.of(dy, dims);
            Tensor mean = t.empty(2, 8);
            Tensor rstd = t.empty(2, 8);
            for (int i = 0; i < 4; i++) {
                results.add(t.empty(dims));
            }
            g.groupNormSilu(8, EPS, tx, ones, ones, results.get(0), mean, rstd);
            g.groupNormBackward(tx, ones, mean, rstd, tdy, results.get(1));
            Tensor rowMean = t.empty(2, 64, 64);
            Tensor rowRstd = t.empty(2, 64, 64);
            n.layerNorm(EPS, tx, ones, ones, results.get(2), rowMean, rowRstd);
            n.layerNormBackward(tx, ones, rowMean, rowRstd, tdy, results.get(3));
            for (int i = 0; i < 4; i++) {
                results.add(t.empty(40));
            }
            g.groupNormBackwardParameters(tx, mean, rstd, tdy, results.get(4), results.get(5));
            n.layerNormBackwardParameters(tx, rowMean, rowRstd, tdy, results.get(6), results.get(7));
            return results.stream().map(CpuTensors::floats).toList();
        }
    }
}
