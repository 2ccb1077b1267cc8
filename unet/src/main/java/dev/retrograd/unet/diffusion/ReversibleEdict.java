package dev.retrograd.unet.diffusion;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import java.util.function.Function;
import java.util.function.IntConsumer;

/// The gradient through {@link Edict}'s coupled chain in memory that does not grow with its steps: nothing of a step is kept. Going backwards, each
/// step is undone, which needs the same two noise predictions that its gradient does, so that none is made in vain.
///
/// A step's `x ← a·x + b·ε(y)`, `y ← a·y + b·ε(x)` is undone from the second to the first; with gradients marked by d and J the Jacobian of ε:
/// `y ← (y − b·ε(x))/a`, `dx += Jᵀ(x)·b·dy`, `dy ← a·dy`, then the same with x and y exchanged. One prediction is recorded at a time.
/// Source: arXiv 2303.13703, §4 (DOODL), after 2211.12446.
public final class ReversibleEdict {
    private final DdimChain chain;
    private final double mix;

    /// @param chain whose UNet, guidance and schedule are used; its eta is not
    /// @param mix p, above 0 and at most 1
    /// @throws IllegalArgumentException if p is not
    public ReversibleEdict(DdimChain chain, double mix) {
        this.chain = chain;
        this.mix = Edict.requireMix(mix);
    }

    /// The pair and its gradient, float64 `[B,H,W,C]`, changed in place from step to step.
    private record State(Tensor x, Tensor y, Tensor dx, Tensor dy) {
        /// As a step sees it: at odd ones the latents change places.
        State at(int step) {
            return step % 2 == 0 ? this : new State(y, x, dy, dx);
        }
    }

    /// The gradient of a function of the chain's result with respect to its start; both latents begin as one, and their mean is the result.
    ///
    /// @param latent x_T, float32 `[B,H,W,C]`
    /// @param context as for {@link DdimChain#run}
    /// @param policy what is stored of a noise prediction, whose segment is `step N`
    /// @param head from the clean latent, float32 `[B,H,W,C]`, to the gradient with respect to it, of the same shape and type
    /// @param progress is told each step when it is done: 0..steps−1 forwards, then steps..2·steps−1 backwards
    /// @return float32 `[B,H,W,C]`, in the innermost open scope
    public Tensor gradient(Backend b, Tensor latent, Tensor context, Segment.Policy policy, Function<Tensor, Tensor> head, IntConsumer progress) {
        int steps = chain.schedule().steps();
        try (Scope scope = b.memory().open("reversible edict")) {
            State s = new State(wide(b, "x", latent), wide(b, "y", latent), wide(b, "dx", latent), wide(b, "dy", latent));
            for (int i = 0; i < steps; i++) {
                forward(b, i, s, context);
                progress.accept(i);
            }
            try (Scope _ = b.memory().open("result")) {
                Tensor mean = b.linearCombination(0, new double[] {0.5, 0.5}, s.x, s.y);
                Tensor dmean = head.apply(converted(b, mean, DType.F32));
                b.convert(dmean, s.dx);
                combine(b, s.dx, 0.5);
                b.convert(s.dx, s.dy);
            }
            for (int i = steps - 1; i >= 0; i--) {
                backward(b, i, s, context, policy);
                progress.accept(2 * steps - 1 - i);
            }
            combine(b, s.dx, 1, s.dy, 1);
            return scope.keep(converted(b, s.dx, DType.F32));
        }
    }

    private void forward(Backend b, int i, State both, Tensor context) {
        DdimSchedule.Coefficients c = chain.schedule().coefficients(i, 0);
        State s = both.at(i);
        advance(b, i, s.x, s.y, context, c);
        advance(b, i, s.y, s.x, context, c);
        combine(b, both.x, mix, both.y, 1 - mix);
        combine(b, both.y, mix, both.x, 1 - mix);
    }

    /// `x ← a·x + b·ε(y)`
    private void advance(Backend b, int i, Tensor x, Tensor y, Tensor context, DdimSchedule.Coefficients c) {
        try (Scope _ = b.memory().open("advance"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Tensor eps = tape.unrecorded(() -> chain.predict(i, tape.constant(converted(b, y, DType.F32)), tape.constant(context))).value();
            combine(b, x, c.ofX(), converted(b, eps, DType.F64), c.ofOutput());
        }
    }

    private void backward(Backend b, int i, State both, Tensor context, Segment.Policy policy) {
        DdimSchedule.Coefficients c = chain.schedule().coefficients(i, 0);
        combine(b, both.y, 1 / mix, both.x, -(1 - mix) / mix);
        combine(b, both.x, 1 / mix, both.y, -(1 - mix) / mix);
        combine(b, both.dx, 1, both.dy, 1 - mix);
        combine(b, both.dy, mix, both.dx, 1 - mix);
        combine(b, both.dx, mix);
        State s = both.at(i);
        undo(b, i, new State(s.y, s.x, s.dy, s.dx), context, c, policy);
        undo(b, i, s, context, c, policy);
    }

    /// `x ← (x − b·ε(y))/a`, `dy += Jᵀ(y)·b·dx`, `dx ← a·dx`
    private void undo(Backend b, int i, State s, Tensor context, DdimSchedule.Coefficients c, Segment.Policy policy) {
        try (Scope _ = b.memory().open("undo"); Tape tape = new Tape(b, policy); Gradients gradients = new Gradients(b)) {
            Var y = tape.input(converted(b, s.y, DType.F32));
            Var eps = chain.predict(i, y, tape.constant(context));
            combine(b, s.x, 1 / c.ofX(), converted(b, eps.value(), DType.F64), -c.ofOutput() / c.ofX());
            tape.backward(eps, converted(b, b.scaled(s.dx, c.ofOutput()), DType.F32), gradients);
            Tensor through = gradients.of(y).orElseThrow(() -> new IllegalStateException("reversible edict: the noise prediction must depend on its latent"));
            combine(b, s.dy, 1, converted(b, through, DType.F64), 1);
            combine(b, s.dx, c.ofX());
        }
    }

    /// `x ← p·x`
    private static void combine(Backend b, Tensor x, double p) {
        b.linearCombination(0, new double[] {p}, new Tensor[] {x}, x);
    }

    /// `x ← p·x + q·y`
    private static void combine(Backend b, Tensor x, double p, Tensor y, double q) {
        b.linearCombination(0, new double[] {p, q}, new Tensor[] {x, y}, x);
    }

    private static Tensor wide(Backend b, String name, Tensor x) {
        Tensor y = b.empty(name, x.spec().with(DType.F64));
        b.convert(x, y);
        return y;
    }

    private static Tensor converted(Backend b, Tensor x, DType type) {
        Tensor y = b.empty(x.name(), x.spec().with(type));
        b.convert(x, y);
        return y;
    }
}
