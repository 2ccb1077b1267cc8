package dev.retrograd.benchmarks;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/// Attention over eight heads, of one image.
public class AttentionBenchmark extends DeviceBenchmark {
    /// Products of a query row and a key row: scores and values forward; scores again, and three gradients with that of the scores backward.
    private static final double FORWARD = 4;
    private static final double BACKWARD = 10;

    /// Query rows, key rows, channels of all heads.
    public enum Place {
        DOWN0_64X64_SELF(4096, 4096, 320, 8),
        DOWN1_32X32_SELF(1024, 1024, 640, 8),
        DOWN2_16X16_SELF(256, 256, 1280, 8),
        DOWN0_64X64_TEXT(4096, 77, 320, 8),
        DOWN1_32X32_TEXT(1024, 77, 640, 8),
        VAE_64X64(4096, 4096, 512, 1);

        final int rows;
        final int keys;
        final int channels;
        final int heads;

        Place(int rows, int keys, int channels, int heads) {
            this.rows = rows;
            this.keys = keys;
            this.channels = channels;
            this.heads = heads;
        }
    }

    @Param public Place place;

    private AttentionSpec spec;
    private Tensor q;
    private Tensor k;
    private Tensor v;
    private Tensor y;
    private Tensor logSumExp;
    private Tensor dy;
    private Tensor delta;
    private Tensor dq;
    private Tensor dk;
    private Tensor dv;

    @Override void prepare() {
        spec = new AttentionSpec(place.heads, 1 / Math.sqrt((double) place.channels / place.heads), false);
        q = tensors.next(1, place.rows, place.channels);
        k = tensors.next(1, place.keys, place.channels);
        v = tensors.next(1, place.keys, place.channels);
        dy = tensors.next(1, place.rows, place.channels);
        y = tensors.empty(1, place.rows, place.channels);
        dq = tensors.empty(1, place.rows, place.channels);
        dk = tensors.empty(1, place.keys, place.channels);
        dv = tensors.empty(1, place.keys, place.channels);
        logSumExp = tensors.vector(1, place.heads, place.rows);
        delta = tensors.vector(1, place.heads, place.rows);
        device.attention(spec, q, k, v, y, logSumExp);
        float[] qs = device.toFloats(q);
        float[] ks = device.toFloats(k);
        float[] vs = device.toFloats(v);
        tensors.check("attention", device.toFloats(y), i -> output(qs, ks, vs, i));
    }

    private double output(float[] qs, float[] ks, float[] vs, int index) {
        int width = place.channels / place.heads;
        int row = index / place.channels;
        int head = index % place.channels / width * width;
        double total = 0;
        double sum = 0;
        for (int key = 0; key < place.keys; key++) {
            double score = 0;
            for (int d = 0; d < width; d++) {
                score += (double) qs[row * place.channels + head + d] * ks[key * place.channels + head + d];
            }
            double weight = Math.exp(score * spec.scale());
            total += weight;
            sum += weight * vs[key * place.channels + index % place.channels];
        }
        return sum / total;
    }

    @Benchmark public void forward(Rate rate) {
        device.attention(spec, q, k, v, y, logSumExp);
        ran(rate, FORWARD * place.rows * place.keys * place.channels, q, k, v, y, logSumExp);
    }

    @Benchmark public void backward(Rate rate) {
        device.attentionBackward(spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
        ran(rate, BACKWARD * place.rows * place.keys * place.channels, q, k, v, y, logSumExp, dy, dq, dk, dv);
    }
}
