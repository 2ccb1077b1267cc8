package dev.retrograd.core.contract;

import dev.retrograd.core.Resampling;
import dev.retrograd.core.contract.Twins.Twin;

public interface ImageContract extends Contract {

    @AtSizes default void nearestUpsamplingAndItsAdjoint(int channels) {
        for (int factor : new int[] {1, 2, 3}) {
            Twin x = twins().normal(2, 5, 3, channels);
            Twin y = twins().output(2, 5 * factor, 3 * factor, channels);
            twins().run(s -> s.b().upsampleNearest(factor, s.of(x), s.of(y)));
            twins().agreeExactly("upsampleNearest by " + factor, y);
            Twin dy = twins().normal(2, 5 * factor, 3 * factor, channels);
            Twin dx = twins().outputLike(x);
            twins().run(s -> s.b().upsampleNearestBackward(factor, s.of(dy), s.of(dx)));
            twins().agree("upsampleNearestBackward by " + factor, dx);
        }
    }

    private void resize(int[] from, int[] to, int channels) {
        for (Resampling.Filter filter : Resampling.Filter.values()) {
            for (boolean antialias : new boolean[] {false, true}) {
                Resampling how = new Resampling(filter, antialias);
                Twin x = twins().normal(2, from[0], from[1], channels);
                Twin y = twins().output(2, to[0], to[1], channels);
                String what = " " + how + " " + x.spec() + " to " + y.spec();
                twins().run(s -> s.b().resize(how, s.of(x), s.of(y)));
                twins().agree("resize" + what, y);
                Twin dy = twins().normal(2, to[0], to[1], channels);
                Twin dx = twins().outputLike(x);
                twins().run(s -> s.b().resizeBackward(how, s.of(dy), s.of(dx)));
                twins().agree("resizeBackward" + what, dx);
            }
        }
    }

    @AtSizes default void resizesToSoManyRows(int rows) {
        resize(new int[] {13, 5}, new int[] {rows, 7}, 3);
        resize(new int[] {rows, 5}, new int[] {13, 3}, 3);
    }

    @Case default void resizesByEveryKindOfFactor() {
        resize(new int[] {32, 32}, new int[] {14, 14}, 3);
        resize(new int[] {20, 16}, new int[] {40, 32}, 3);
        resize(new int[] {9, 9}, new int[] {9, 9}, 4);
        resize(new int[] {50, 40}, new int[] {3, 2}, 1);
        resize(new int[] {1, 1}, new int[] {5, 6}, 13);
        resize(new int[] {12, 3}, new int[] {4, 11}, 64);
    }
}
