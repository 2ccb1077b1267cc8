package dev.retrograd.core.reference;

import dev.retrograd.core.AttentionKernels;
import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;

/// Attention with its N×M matrix written out.
interface ReferenceAttention extends AttentionKernels {

    @Override default void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        attend(spec, q, k, v, _ -> k.dim(1), y, logSumExp);
    }

    @Override default void paddedAttention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp) {
        attend(spec, q, k, v, b -> (int) Values.of(lengths).get(b), y, logSumExp);
    }

    private static void attend(AttentionSpec spec, Tensor q, Tensor k, Tensor v, IntUnaryOperator lengths, Tensor y, Tensor logSumExp) {
        Values value = Values.of(v);
        Values out = Values.of(y);
        Values lse = Values.of(logSumExp);
        out.fill(0);
        forEachHead(spec, q, k, lengths, h -> {
            double[][] s = h.scores(spec, Values.of(q), Values.of(k));
            for (int n = 0; n < h.rows; n++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int m = 0; m < h.keys; m++) {
                    max = Math.max(max, s[n][m]);
                }
                double sum = 0;
                for (int m = 0; m < h.keys; m++) {
                    sum += Math.exp(s[n][m] - max);
                }
                lse.set(h.statistic(n), h.keys == 0 ? 0 : max + Math.log(sum));
                for (int m = 0; m < h.keys; m++) {
                    double p = factor(value, y, Math.exp(s[n][m] - max) / sum);
                    for (int d = 0; d < h.width; d++) {
                        out.add(h.query(n, d), p * value.get(h.key(m, d)));
                    }
                }
            }
        });
    }

    @Override default void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        differentiate(spec, q, k, v, _ -> k.dim(1), y, logSumExp, dy, delta, dq, dk, dv);
    }

    @Override default void paddedAttentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        differentiate(spec, q, k, v, b -> (int) Values.of(lengths).get(b), y, logSumExp, dy, delta, dq, dk, dv);
    }

    private static void differentiate(AttentionSpec spec, Tensor q, Tensor k, Tensor v, IntUnaryOperator lengths, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        Values query = Values.of(q);
        Values key = Values.of(k);
        Values value = Values.of(v);
        Values result = Values.of(y);
        Values gradient = Values.of(dy);
        Values lse = Values.of(logSumExp);
        Values rowSums = Values.of(delta);
        Values outQ = Values.of(dq);
        Values outK = Values.of(dk);
        Values outV = Values.of(dv);
        outQ.fill(0);
        outK.fill(0);
        outV.fill(0);
        rowSums.fill(0);
        forEachHead(spec, q, k, lengths, h -> {
            double[][] s = h.scores(spec, query, key);
            for (int n = 0; n < h.rows; n++) {
                for (int d = 0; d < h.width; d++) {
                    rowSums.add(h.statistic(n), gradient.get(h.query(n, d)) * result.get(h.query(n, d)));
                }
                for (int m = 0; m < h.keys; m++) {
                    double p = query.rounded(Math.exp(s[n][m] - lse.get(h.statistic(n))));
                    double dp = 0;
                    for (int d = 0; d < h.width; d++) {
                        dp = query.rounded(dp + gradient.get(h.query(n, d)) * value.get(h.key(m, d)));
                    }
                    double ds = factor(query, dq, p * (dp - rowSums.get(h.statistic(n))));
                    double weight = factor(query, dq, p);
                    for (int d = 0; d < h.width; d++) {
                        outV.add(h.key(m, d), weight * gradient.get(h.query(n, d)));
                        outQ.add(h.query(n, d), spec.scale() * ds * key.get(h.key(m, d)));
                        outK.add(h.key(m, d), spec.scale() * ds * query.get(h.query(n, d)));
                    }
                }
            }
        });
    }

    /// A weight, or its gradient, as the factor of a product: rounded like the product's tensors in a naive computation.
    private static double factor(Values backend, Tensor result, double value) {
        return backend.single() ? ReferenceElementwise.rounded((float) value, result.dtype()) : value;
    }

    private static void forEachHead(AttentionSpec spec, Tensor q, Tensor k, IntUnaryOperator lengths, Consumer<Head> body) {
        for (int b = 0; b < q.dim(0); b++) {
            for (int head = 0; head < spec.heads(); head++) {
                body.accept(new Head(b, head, spec.heads(), q.dim(1), k.dim(1), lengths.applyAsInt(b), q.dim(2) / spec.heads()));
            }
        }
    }

    /// Where the elements of one head of one sample lie.
    ///
    /// @param room keys that there is room for
    /// @param keys that the sample has
    record Head(int sample, int head, int heads, int rows, int room, int keys, int width) {

        long query(int n, int d) {
            return (((long) sample * rows + n) * heads + head) * width + d;
        }

        long key(int m, int d) {
            return (((long) sample * room + m) * heads + head) * width + d;
        }

        long statistic(int n) {
            return ((long) sample * heads + head) * rows + n;
        }

        double[][] scores(AttentionSpec spec, Values q, Values k) {
            double[][] s = new double[rows][keys];
            for (int n = 0; n < rows; n++) {
                for (int m = 0; m < keys; m++) {
                    double sum = 0;
                    for (int d = 0; d < width; d++) {
                        sum = q.rounded(sum + q.get(query(n, d)) * k.get(key(m, d)));
                    }
                    s[n][m] = spec.causal() && m > n ? Double.NEGATIVE_INFINITY : q.rounded(spec.scale() * sum);
                }
            }
            return s;
        }
    }
}
