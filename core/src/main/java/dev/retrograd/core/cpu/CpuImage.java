package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.Resampling;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Resampling of images `[B,H,W,C]`; one task per row of the result.
final class CpuImage {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private final Workers workers;

    CpuImage(Workers workers) {
        this.workers = workers;
    }

    void upsampleNearest(int factor, Tensor x, Tensor y) {
        MemorySegment in = CpuMemory.data(x);
        MemorySegment out = CpuMemory.data(y);
        int width = x.dim(2);
        long pixelBytes = x.dim(3) * 4L;
        long rowBytes = width * factor * pixelBytes;
        workers.run(x.dim(0) * x.dim(1), row -> {
            long target = row * factor * rowBytes;
            for (int w = 0; w < width; w++) {
                long source = ((long) row * width + w) * pixelBytes;
                for (int copy = 0; copy < factor; copy++) {
                    MemorySegment.copy(in, source, out, target + (w * factor + copy) * pixelBytes, pixelBytes);
                }
            }
            for (int copy = 1; copy < factor; copy++) {
                MemorySegment.copy(out, target, out, target + copy * rowBytes, rowBytes);
            }
        });
    }

    void upsampleNearestBackward(int factor, Tensor dy, Tensor dx) {
        MemorySegment in = CpuMemory.data(dy);
        MemorySegment out = CpuMemory.data(dx);
        int width = dx.dim(2);
        int channels = dx.dim(3);
        workers.run(dx.dim(0) * dx.dim(1), row -> {
            for (int w = 0; w < width; w++) {
                sumCopies(in, ((long) row * factor * width + w) * factor * channels * 4L, factor, (long) width * factor * channels * 4L,
                        out, ((long) row * width + w) * channels * 4L, channels);
            }
        });
    }

    /// Sums the `factor × factor` pixels from `source` on into one.
    private static void sumCopies(MemorySegment dy, long source, int factor, long rowBytes, MemorySegment dx, long target, int channels) {
        for (int c = 0; c < channels; c += LANES) {
            VectorMask<Float> lanes = VectorMath.firstLanes(channels - c);
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int i = 0; i < factor; i++) {
                for (int j = 0; j < factor; j++) {
                    long o = source + i * rowBytes + ((long) j * channels + c) * 4L;
                    sum = sum.add(FloatVector.fromMemorySegment(FLOATS, dy, o, ORDER, lanes));
                }
            }
            sum.intoMemorySegment(dx, target + c * 4L, ORDER, lanes);
        }
    }

    void resize(Resampling how, Tensor x, Tensor y) {
        resample(ResizeWeights.of(how, x.dim(1), y.dim(1)), ResizeWeights.of(how, x.dim(2), y.dim(2)), x, y);
    }

    void resizeBackward(Resampling how, Tensor dy, Tensor dx) {
        resample(ResizeWeights.of(how, dx.dim(1), dy.dim(1)).transposed(), ResizeWeights.of(how, dx.dim(2), dy.dim(2)).transposed(), dy, dx);
    }

    /// Every row of y: the rows of x under it, weighted and added, then the same along the row.
    private void resample(ResizeWeights vertical, ResizeWeights horizontal, Tensor x, Tensor y) {
        MemorySegment in = CpuMemory.data(x);
        MemorySegment out = CpuMemory.data(y);
        int channels = x.dim(3);
        int rowLength = horizontal.inputs() * channels;
        workers.run(x.dim(0) * vertical.outputs(), task -> {
            int image = task / vertical.outputs();
            int row = task % vertical.outputs();
            float[] sums = new float[rowLength];
            for (int t = vertical.offset()[row]; t < vertical.offset()[row + 1]; t++) {
                long source = (long) image * vertical.inputs() + vertical.first()[row] + t - vertical.offset()[row];
                addRow(in, source * rowLength * 4L, vertical.weights()[t], sums);
            }
            float[] result = new float[horizontal.outputs() * channels];
            resampleRow(sums, horizontal, channels, result);
            MemorySegment.copy(result, 0, out, JAVA_FLOAT, (long) task * result.length * 4L, result.length);
        });
    }

    private static void addRow(MemorySegment x, long offset, float weight, float[] sums) {
        int full = FLOATS.loopBound(sums.length);
        for (int i = 0; i < full; i += LANES) {
            FloatVector.fromMemorySegment(FLOATS, x, offset + i * 4L, ORDER)
                    .fma(FloatVector.broadcast(FLOATS, weight), FloatVector.fromArray(FLOATS, sums, i)).intoArray(sums, i);
        }
        if (full < sums.length) {
            VectorMask<Float> tail = VectorMath.firstLanes(sums.length - full);
            FloatVector.fromMemorySegment(FLOATS, x, offset + full * 4L, ORDER, tail)
                    .fma(FloatVector.broadcast(FLOATS, weight), FloatVector.fromArray(FLOATS, sums, full, tail)).intoArray(sums, full, tail);
        }
    }

    private static void resampleRow(float[] x, ResizeWeights weights, int channels, float[] y) {
        int[] first = weights.first();
        int[] offset = weights.offset();
        float[] w = weights.weights();
        for (int o = 0; o < weights.outputs(); o++) {
            for (int c = 0; c < channels; c++) {
                float sum = 0;
                int at = first[o] * channels + c;
                for (int t = offset[o]; t < offset[o + 1]; t++, at += channels) {
                    sum = Math.fma(w[t], x[at], sum);
                }
                y[o * channels + c] = sum;
            }
        }
    }
}
