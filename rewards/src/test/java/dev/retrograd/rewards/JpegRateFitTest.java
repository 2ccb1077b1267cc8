package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Where the constants of {@link JpegRate} come from.
class JpegRateFitTest {
    private static final int AC = 63;
    private static final double TOLERANCE = 0.05;

    /// Pictures that are encoded, and how.
    private record Sample(int count, int height, int width, JpegSettings settings) {
    }

    @Test
    void constantsAreTheLeastSquaresFitToTheEncoder() {
        JpegSettings half75 = new JpegSettings(75, JpegSettings.Chroma.HALF);
        JpegSettings half50 = new JpegSettings(50, JpegSettings.Chroma.HALF);
        JpegSettings full95 = new JpegSettings(95, JpegSettings.Chroma.FULL);
        List<double[]> rows = new ArrayList<>();
        List<Double> targets = new ArrayList<>();
        try (CpuBackend backend = new CpuBackend(CpuBackend.Options.defaults())) {
            add(backend, new Sample(304, 64, 64, JpegSettings.DDPO), rows, targets);
            add(backend, new Sample(304, 96, 64, JpegSettings.DDPO), rows, targets);
            add(backend, new Sample(96, 256, 256, JpegSettings.DDPO), rows, targets);
            add(backend, new Sample(152, 64, 64, full95), rows, targets);
            add(backend, new Sample(152, 64, 64, half75), rows, targets);
            add(backend, new Sample(152, 64, 64, half50), rows, targets);
        }
        double[] fit = Statistics.leastSquares(rows.toArray(double[][]::new), targets.stream().mapToDouble(t -> t).toArray());
        JpegRate.Costs luma = new JpegRate.Costs(fit[0], fit[1], fit[2], fit[3], fit[4]);
        JpegRate.Costs chroma = new JpegRate.Costs(fit[5], fit[6], fit[7], fit[8], fit[9]);
        System.out.println("JPEG rate, fitted bits: luma " + luma + ", chroma " + chroma);
        requireNear("luma", luma, JpegRate.LUMA);
        requireNear("chroma", chroma, JpegRate.CHROMA);
    }

    private static void requireNear(String plane, JpegRate.Costs fit, JpegRate.Costs constants) {
        double[] f = {fit.magnitude(), fit.reach(), fit.coded(), fit.difference(), fit.block()};
        double[] c = {constants.magnitude(), constants.reach(), constants.coded(), constants.difference(), constants.block()};
        for (int i = 0; i < f.length; i++) {
            assertTrue(Math.abs(f[i] - c[i]) <= TOLERANCE, plane + ": fitted " + fit + ", constants " + constants);
        }
    }

    /// One row for each picture: counts of the costs, luma then chroma, and the bits that they must explain, both divided by the bits of the file.
    private static void add(CpuBackend backend, Sample sample, List<double[]> rows, List<Double> targets) {
        JpegSettings settings = sample.settings;
        PixelBatch images = TestImages.batch(1, sample.count, sample.height, sample.width);
        int units = sample.height * sample.width / (settings.mcuSide() * settings.mcuSide());
        int blocks = settings.blocks();
        int size = 2 * blocks * AC + 3;
        float[] statistics;
        try (Scope _ = backend.memory().open("fit"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            JpegRate rate = new JpegRate(new DifferentiableJpeg(backend, settings));
            statistics = backend.toFloats(rate.statistics(tape.constant(backend.floats("pixels", images.shape(), images.pixels()))).value());
        }
        for (int image = 0; image < sample.count; image++) {
            double bytes = JpegFileSize.encode(images, image, settings).length;
            double[] row = new double[10];
            for (int n = 0; n < blocks; n++) {
                int plane = n < settings.lumaBlocks() ? 0 : 5;
                for (int i = 0; i < AC; i++) {
                    row[plane] += statistics[image * size + n * AC + i];
                    double reached = units - statistics[image * size + (blocks + n) * AC + i];
                    row[plane + 1] += reached;
                    row[plane + 2] += i == 0 ? reached : 0;
                }
                row[plane + 4] += units;
            }
            row[3] = statistics[image * size + size - 3];
            row[8] = statistics[image * size + size - 2] + statistics[image * size + size - 1];
            for (int i = 0; i < row.length; i++) {
                row[i] /= 8 * bytes;
            }
            rows.add(row);
            targets.add((bytes - JpegRate.HEADER_BYTES) / bytes);
        }
    }
}
