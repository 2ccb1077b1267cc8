package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;

/// Attention by plain loops, one row of scores at a time.
final class LoopAttention {
    private final Workers workers;

    LoopAttention(Workers workers) {
        this.workers = workers;
    }

    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        Heads h = new Heads(spec, q, k);
        float[] qs = floats(q);
        float[] ks = floats(k);
        float[] vs = floats(v);
        float[] ys = new float[qs.length];
        float[] lse = new float[(int) logSumExp.elements()];
        workers.run(lse.length, row -> {
            double[] s = new double[h.visible(row)];
            double max = Double.NEGATIVE_INFINITY;
            for (int j = 0; j < s.length; j++) {
                s[j] = spec.scale() * h.dot(qs, h.query(row), ks, h.key(row, j));
                max = Math.max(max, s[j]);
            }
            double sum = 0;
            for (double score : s) {
                sum += StrictMath.exp(score - max);
            }
            lse[row] = (float) (max + StrictMath.log(sum));
            for (int j = 0; j < s.length; j++) {
                h.add(StrictMath.exp(s[j] - max) / sum, vs, h.key(row, j), ys, h.query(row));
            }
        });
        store(ys, y);
        store(lse, logSumExp);
    }

    void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        Heads h = new Heads(spec, q, k);
        float[] qs = floats(q);
        float[] ks = floats(k);
        float[] vs = floats(v);
        float[] ys = floats(y);
        float[] dys = floats(dy);
        float[] lse = floats(logSumExp);
        float[] deltas = new float[lse.length];
        float[] dqs = new float[qs.length];
        float[] dks = new float[ks.length];
        float[] dvs = new float[vs.length];
        for (int row = 0; row < lse.length; row++) {
            deltas[row] = (float) h.dot(dys, h.query(row), ys, h.query(row));
            for (int j = 0; j < h.visible(row); j++) {
                double p = StrictMath.exp(spec.scale() * h.dot(qs, h.query(row), ks, h.key(row, j)) - lse[row]);
                double ds = spec.scale() * p * (h.dot(dys, h.query(row), vs, h.key(row, j)) - deltas[row]);
                h.add(p, dys, h.query(row), dvs, h.key(row, j));
                h.add(ds, ks, h.key(row, j), dqs, h.query(row));
                h.add(ds, qs, h.query(row), dks, h.key(row, j));
            }
        }
        store(deltas, delta);
        store(dqs, dq);
        store(dks, dk);
        store(dvs, dv);
    }

    /// Where a row `(image, head, query)` and its keys lie.
    private record Heads(int heads, int queries, int keys, int channels, boolean causal) {
        Heads(AttentionSpec spec, Tensor q, Tensor k) {
            this(spec.heads(), q.dim(1), k.dim(1), q.dim(2), spec.causal());
        }

        int visible(int row) {
            return causal ? Math.min(keys, row % queries + 1) : keys;
        }

        int query(int row) {
            return (row / queries / heads * queries + row % queries) * channels + row / queries % heads * width();
        }

        int key(int row, int j) {
            return (row / queries / heads * keys + j) * channels + row / queries % heads * width();
        }

        int width() {
            return channels / heads;
        }

        double dot(float[] a, int at, float[] b, int bt) {
            double sum = 0;
            for (int i = 0; i < width(); i++) {
                sum += (double) a[at + i] * b[bt + i];
            }
            return sum;
        }

        void add(double factor, float[] a, int at, float[] b, int bt) {
            for (int i = 0; i < width(); i++) {
                b[bt + i] += (float) (factor * a[at + i]);
            }
        }
    }

    private static float[] floats(Tensor t) {
        return CpuMemory.data(t).toArray(JAVA_FLOAT_UNALIGNED);
    }

    private static void store(float[] values, Tensor t) {
        MemorySegment.copy(values, 0, CpuMemory.data(t), JAVA_FLOAT_UNALIGNED, 0, values.length);
    }
}
