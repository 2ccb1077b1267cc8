package dev.retrograd.core.contract;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.contract.Twins.Twin;
import dev.retrograd.core.testing.Claims;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

public interface AttentionContract extends Contract {

    private void attend(AttentionSpec spec, int batch, int rows, int keys, int width, double magnitude) {
        Twin q = scaled(magnitude, batch, rows, spec.heads() * width);
        Twin k = scaled(magnitude, batch, keys, spec.heads() * width);
        Twin v = twins().normal(batch, keys, spec.heads() * width);
        Twin y = twins().outputLike(q);
        Twin logSumExp = twins().singleOutput(batch, spec.heads(), rows);
        String what = " " + spec + " q " + q.spec() + " k " + k.spec();
        twins().run(s -> s.b().attention(spec, s.of(q), s.of(k), s.of(v), s.of(y), s.of(logSumExp)));
        twins().agree("attention" + what, y, logSumExp);
        Twin dy = twins().normal(batch, rows, spec.heads() * width);
        Twin delta = twins().outputLike(logSumExp);
        Twin dq = twins().outputLike(q);
        Twin dk = twins().outputLike(k);
        Twin dv = twins().outputLike(v);
        twins().run(s -> s.b().attentionBackward(spec, s.of(q), s.of(k), s.of(v), s.of(y), s.of(logSumExp), s.of(dy), s.of(delta), s.of(dq), s.of(dk), s.of(dv)));
        twins().agree("attentionBackward" + what, dq, dk, dv);
    }

    private Twin scaled(double magnitude, int... dims) {
        Spec spec = twins().activation(dims);
        double[] values = twins().random().normalDoubles(spec.shape().elements());
        Arrays.setAll(values, i -> magnitude * values[i]);
        return twins().of(spec, values);
    }

    private static AttentionSpec heads(int heads, int width, boolean causal) {
        return new AttentionSpec(heads, 1 / Math.sqrt(width), causal);
    }

    @AtSizes default void selfAttentionOverSoManyTokens(int tokens) {
        attend(heads(2, 8, false), 2, tokens, tokens, 8, 1);
        attend(heads(2, 8, true), 2, tokens, tokens, 8, 1);
    }

    @AtSizes default void crossAttentionToSoManyKeys(int keys) {
        attend(heads(3, 5, false), 1, 13, keys, 5, 1);
    }

    @Case default void attentionWithTheHeadWidthsOfTheModels() {
        for (int width : new int[] {1, 32, 40, 64, 80, 160, 512}) {
            attend(heads(1, width, false), 1, 19, 77, width, 1);
        }
        attend(heads(8, 40, false), 2, 64, 77, 40, 1);
        attend(heads(4, 16, true), 2, 77, 77, 16, 1);
    }

    /// Several tiles of rows and of keys, none of them whole, and heads beside each other.
    @Case default void severalTilesOfRowsAndKeysWithTails() {
        for (int width : new int[] {40, 64, 72, 88}) {
            attend(heads(2, width, false), 1, 131, 97, width, 1);
            attend(heads(2, width, true), 1, 97, 131, width, 1);
        }
        attend(heads(1, 200, true), 1, 67, 67, 200, 1);
    }

    /// As a feature map of 64 × 64 and more has them: sums over many tiles keep their digits.
    @Case default void attentionToThousandsOfKeys() {
        attend(heads(1, 16, false), 1, 5, 4100, 16, 2);
    }

    @Case default void causalAttentionOfUnequalLengths() {
        attend(heads(2, 8, true), 1, 5, 13, 8, 1);
        attend(heads(2, 8, true), 1, 13, 5, 8, 1);
    }

    /// Images with fewer keys than there is room for: none, one, some, all of them, beside a causal mask and without; what lies in the padding is not read.
    @Case default void keysThatArePaddingAreNotSeen() {
        for (int width : new int[] {8, 40, 64, 80, 160, 200}) {
            padded(heads(2, width, false), 19, 77, width, 1, 33, 77, 0);
            padded(heads(1, width, true), 70, 70, width, 64, 70, 5);
        }
        padded(heads(1, 16, false), 5, 300, 16, 129, 2, 300);
    }

    /// Normal values, and NaN in the padding.
    private Twin keys(int room, int channels, int... lengths) {
        double[] values = twins().random().normalDoubles((long) lengths.length * room * channels);
        Arrays.setAll(values, i -> i / channels % room < lengths[i / (room * channels)] ? values[i] : Double.NaN);
        return twins().of(twins().activation(lengths.length, room, channels), values);
    }

    private void padded(AttentionSpec spec, int rows, int room, int width, int... lengths) {
        int batch = lengths.length;
        int channels = spec.heads() * width;
        Twin q = twins().normal(batch, rows, channels);
        Twin k = keys(room, channels, lengths);
        Twin v = keys(room, channels, lengths);
        Twin keys = twins().of(new Spec(Shape.of(batch), DType.I32), IntStream.of(lengths).asDoubleStream().toArray());
        Twin y = twins().outputLike(q);
        Twin logSumExp = twins().singleOutput(batch, spec.heads(), rows);
        String what = " " + spec + " q " + q.spec() + " k " + k.spec() + " of " + Arrays.toString(lengths);
        twins().run(s -> s.b().paddedAttention(spec, s.of(q), s.of(k), s.of(v), s.of(keys), s.of(y), s.of(logSumExp)));
        twins().agree("paddedAttention" + what, y, logSumExp);
        Twin dy = twins().normal(batch, rows, channels);
        Twin delta = twins().singleOutput(batch, spec.heads(), rows);
        Twin dq = twins().outputLike(q);
        Twin dk = twins().outputLike(k);
        Twin dv = twins().outputLike(v);
        twins().run(s -> s.b().paddedAttentionBackward(spec, s.of(q), s.of(k), s.of(v), s.of(keys), s.of(y), s.of(logSumExp), s.of(dy), s.of(delta), s.of(dq), s.of(dk), s.of(dv)));
        twins().agree("paddedAttentionBackward" + what, dq, dk, dv);
        for (Twin gradient : List.of(dk, dv)) {
            double[] values = twins().values(gradient);
            for (int i = 0; i < values.length; i++) {
                Claims.assertTrue(i / channels % room < lengths[i / (room * channels)] || values[i] == 0, "gradient of padding" + what + ": must be 0, got " + values[i] + " at [" + i + "]");
            }
        }
    }

    /// Scores of a few hundred: the exponential overflows unless each row's maximum is taken off first.
    @Case default void largeScoresDoNotOverflow() {
        attend(heads(2, 16, false), 1, 33, 70, 16, 8);
        attend(heads(1, 16, true), 1, 33, 33, 16, 8);
    }
}
