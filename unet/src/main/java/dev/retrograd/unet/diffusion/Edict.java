package dev.retrograd.unet.diffusion;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Convert;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.core.DType;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntConsumer;

/// EDICT's coupled chain: two latents, each advanced by the noise that the UNet predicts from the other, then mixed. Unlike DDIM's, its steps can be
/// undone exactly, but for rounding, which is why the pair is float64.
///
/// With `x' = a·x + b·ε(x)` as DDIM's update, step i does `x ← a·x + b·ε(y)`, `y ← a·y + b·ε(x)` (at odd i the other way round), then
/// `x ← p·x + (1−p)·y`, `y ← p·y + (1−p)·x`. Source: arXiv 2211.12446, eq. 12-15.
final class Edict {
    /// The paper's p.
    public static final double MIX = 0.93;

    private final DdimChain chain;
    private final double mix;

    /// @param chain whose UNet, guidance and schedule are used; its eta is not
    /// @param mix p, above 0 and at most 1
    /// @throws IllegalArgumentException if p is not
    public Edict(DdimChain chain, double mix) {
        this.chain = chain;
        this.mix = requireMix(mix);
    }

    static double requireMix(double mix) {
        if (!(mix > 0 && mix <= 1)) {
            throw new IllegalArgumentException("edict: p must be above 0 and at most 1, got " + mix);
        }
        return mix;
    }

    /// The two latents, float64 `[B,H,W,C]`.
    public record Pair(Var x, Var y) {

        /// Both begin as one.
        public static Pair of(Var latent) {
            Var wide = latent.apply(new Convert(DType.F64));
            return new Pair(wide, wide);
        }

        /// Their average, float32: what is decoded.
        public Var mean() {
            return x.apply(new LinearCombination(0, 0.5, 0.5), y).apply(new Convert(DType.F32));
        }

        private Pair swapped() {
            return new Pair(y, x);
        }
    }

    /// What a step's first prediction was made from and gave, float32.
    record Prediction(Var input, Var eps) {
    }

    /// One step.
    ///
    /// @param kept whether the predicted noise keeps its gradient
    /// @param predictions takes down the step's first prediction
    Pair step(int i, Pair pair, Var context, boolean kept, List<Prediction> predictions) {
        boolean odd = i % 2 == 1;
        Pair p = odd ? pair.swapped() : pair;
        Var first = p.y.apply(new Convert(DType.F32));
        Var eps = predict(i, first, context, kept);
        predictions.add(new Prediction(first, eps));
        Var x = advanced(i, p.x, eps);
        Var y = advanced(i, p.y, predict(i, x.apply(new Convert(DType.F32)), context, kept));
        Pair stepped = odd ? new Pair(y, x) : new Pair(x, y);
        Var mixedX = mixed(mix, stepped.x, stepped.y);
        return new Pair(mixedX, mixed(mix, stepped.y, mixedX));
    }

    /// One step forward, from noise to image, with nothing recorded unless `kept`.
    public Pair step(int i, Pair pair, Var context, boolean kept) {
        return step(i, pair, context, kept, new ArrayList<>());
    }

    /// Undoes a step: what {@link #step} made the pair from, with nothing recorded.
    public Pair inverse(int i, Pair pair, Var context) {
        Var y = pair.y.apply(new LinearCombination(0, 1 / mix, -(1 - mix) / mix), pair.x);
        Var x = pair.x.apply(new LinearCombination(0, 1 / mix, -(1 - mix) / mix), y);
        boolean odd = i % 2 == 1;
        Var first = odd ? y : x;
        Var second = odd ? x : y;
        Var secondBefore = undone(i, second, predict(i, first.apply(new Convert(DType.F32)), context, false));
        Var firstBefore = undone(i, first, predict(i, secondBefore.apply(new Convert(DType.F32)), context, false));
        return odd ? new Pair(secondBefore, firstBefore) : new Pair(firstBefore, secondBefore);
    }

    private Var predict(int i, Var x, Var context, boolean kept) {
        Tape t = x.tape();
        return kept ? chain.predict(i, x, context) : t.unrecorded(() -> chain.predict(i, x, context));
    }

    private Var advanced(int i, Var x, Var eps) {
        DdimSchedule.Coefficients c = chain.schedule().coefficients(i, 0);
        return x.apply(new LinearCombination(0, c.ofX(), c.ofOutput()), eps.apply(new Convert(DType.F64)));
    }

    private Var undone(int i, Var x, Var eps) {
        DdimSchedule.Coefficients c = chain.schedule().coefficients(i, 0);
        return x.apply(new LinearCombination(0, 1 / c.ofX(), -c.ofOutput() / c.ofX()), eps.apply(new Convert(DType.F64)));
    }

    private static Var mixed(double p, Var x, Var y) {
        return x.apply(new LinearCombination(0, p, 1 - p), y);
    }

    /// The whole chain. Of the trajectory, `latents` but the last are the inputs of each step's first prediction, and `predictions` what it gave.
    DdimChain.Trajectory run(Var latent, Var context, BitSet kept, IntConsumer progress) {
        Pair pair = Pair.of(latent);
        List<Prediction> predictions = new ArrayList<>();
        for (int i = 0; i < chain.schedule().steps(); i++) {
            pair = step(i, pair, context, kept.get(i), predictions);
            progress.accept(i);
        }
        List<Var> latents = new ArrayList<>(predictions.stream().map(Prediction::input).toList());
        latents.add(pair.mean());
        return new DdimChain.Trajectory(latents, predictions.stream().map(Prediction::eps).toList());
    }
}
