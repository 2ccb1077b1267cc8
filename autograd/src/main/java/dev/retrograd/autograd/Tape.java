package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.Supplier;

/// Records operators as they run and differentiates what was recorded, backwards (reverse-mode automatic differentiation).
///
/// What models compute is cut into named, nested segments ({@link #segment}), the unit of memory: each is a scope, and is either stored or
/// recomputed when the backward pass arrives. Both give the same gradients, bit for bit. One tape per forward pass or many in a row;
/// one thread.
///
/// ```java
/// try (Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
///     Var y = tape.parameter(w).times(tape.constant(x));
///     tape.backward(y.apply(SumTo.all()), gradients);
///     Tensor dw = gradients.of(w).orElseThrow();
/// }
/// ```
public final class Tape implements AutoCloseable {
    private final Backend backend;
    private final Segment.Policy policy;
    private final BiConsumer<String, Tensor> observer;
    private final Deque<String> path = new ArrayDeque<>();
    /// Where leaves belong: they outlive the backward passes.
    private final Frame leaves = new Frame(Frame.Mode.RECORD);
    private Frame root = new Frame(Frame.Mode.RECORD);
    private Frame frame = root;

    public Tape(Backend backend, Segment.Policy policy) {
        this(backend, policy, (_, _) -> { });
    }

    /// @param observer is shown every activation that a model names ({@link #named}), on every run of it, recomputation included
    public Tape(Backend backend, Segment.Policy policy, BiConsumer<String, Tensor> observer) {
        this.backend = backend;
        this.policy = policy;
        this.observer = observer;
    }

    public Backend backend() {
        return backend;
    }

    /// The type that models compute in, {@link Backend#activations()}.
    public DType activations() {
        return backend.activations();
    }

    /// A variable without gradient. The tensor must outlive its uses, recomputation included.
    public Var constant(Tensor value) {
        return new Var(this, value, false, frame);
    }

    /// A leaf whose gradient is wanted, to be read from {@link Gradients#of(Var)}; it may be used again after a backward pass.
    ///
    /// @throws IllegalStateException inside a segment, whose variables nobody outside knows
    public Var input(Tensor value) {
        if (frame != root) {
            throw new IllegalStateException("input: must be made outside of segments, got " + value + " in '" + path() + "'; pass it to the segment");
        }
        return new Var(this, value, true, leaves);
    }

    /// A weight as a variable, differentiated if it is trainable.
    public Var parameter(Parameter p) {
        return new Var(this, p, frame);
    }

    /// A weight that matrix products and convolutions read. One that is trained in float32 among 16-bit activations is rounded to their type each
    /// time; its gradient is not. A frozen one is read in the type that it rests in.
    public Var weight(Parameter p) {
        Var w = parameter(p);
        boolean rounds = p.trainable() && p.value().dtype() == DType.F32 && activations() != DType.F32;
        return rounds ? w.to(activations()) : w;
    }

    /// Shows an activation to the observer under the name that upstream's module has.
    public Var named(String name, Var v) {
        observer.accept(name, v.value());
        return v;
    }

    /// Whether operators on variables that require a gradient are being recorded.
    public boolean recording() {
        return frame.mode != Frame.Mode.OFF;
    }

    /// Runs one operator, recording it if an input requires a gradient.
    ///
    /// @throws IllegalStateException if an input was recorded outside the segment that runs, and is not one of its inputs
    public <S extends Record> Var apply(Op<S> op, Var... in) {
        Tensor[] tensors = new Tensor[in.length];
        boolean differentiable = false;
        for (int i = 0; i < in.length; i++) {
            requireVisible(op.name(), in[i]);
            tensors[i] = in[i].value();
            differentiable |= in[i].requiresGrad();
        }
        differentiable &= recording();
        Spec spec = op.out(Arrays.stream(tensors).map(Tensor::spec).toArray(Spec[]::new));
        Needs needs = differentiable && frame.mode == Frame.Mode.RECORD ? Needs.of(in) : Needs.NONE;
        Op.Out<S> out = op.forward(backend, needs, tensors);
        if (!out.y().spec().equals(spec)) {
            throw new IllegalStateException(op.name() + ": forward must give the " + spec + " that it declares, got " + out.y().spec());
        }
        Var y = new Var(this, out.y(), differentiable, frame);
        if (!needs.equals(Needs.NONE)) {
            frame.nodes.add(new OpNode<>(backend, op, needs, in, out.saved(), y));
        }
        return y;
    }

    private void requireVisible(String where, Var v) {
        if (v.tape() != this) {
            throw new IllegalStateException(where + ": all inputs must be on one tape, got " + v + " of another");
        }
        boolean here = v.frame == frame || v.frame == leaves && frame == root || v.slot instanceof Parameter;
        if (!v.requiresGrad() || here || !recording()) {
            return;
        }
        if (v.frame.differentiated()) {
            throw new IllegalStateException(where + ": " + v + " was recorded before the last backward pass, which emptied the tape; compute it again");
        }
        if (frame == root) {
            throw new IllegalStateException(where + ": " + v + " was recorded inside a segment and is none of its results; return it from there");
        }
        throw new IllegalStateException(where + ": " + v + " was recorded outside segment '" + path() + "'; pass it to the segment as an input");
    }

    /// Runs code with nothing recorded: its variables are constants, and operators save nothing.
    public <T> T unrecorded(Supplier<T> code) {
        return inside(new Frame(Frame.Mode.OFF), code);
    }

    /// Runs a named piece of the computation: a scope that ends with everything but its results, and a unit of recomputation.
    ///
    /// @param name of the piece; nested names are joined by `/` for the policy
    /// @param body may use `in` and captured parameters and constants; it must compute the same each time that it runs
    /// @param in variables from outside; one may be given twice, and may be passed through as a result
    /// @return the results, on this tape
    /// @throws IllegalStateException if the body uses a recorded variable that is not in `in`
    public Var[] segment(String name, Segment.Body body, Var... in) {
        for (Var v : in) {
            requireVisible("segment '" + name + "'", v);
        }
        path.addLast(name);
        try {
            String where = path();
            return switch (frame.mode) {
                case OFF, TRACK -> run(where, new Frame(frame.mode), body, in).outer();
                case RECORD -> record(where, body, in);
            };
        } finally {
            path.removeLast();
        }
    }

    /// As {@link #segment}, for a single result.
    public Var segment1(String name, Function<Var[], Var> body, Var... in) {
        return segment(name, v -> new Var[] {body.apply(v)}, in)[0];
    }

    private Var[] record(String where, Segment.Body body, Var[] in) {
        boolean store = policy.of(where) == Segment.Retention.STORE;
        Frame inside = new Frame(store ? Frame.Mode.RECORD : Frame.Mode.TRACK);
        Ran ran;
        try {
            ran = run(where, inside, body, in);
        } catch (RuntimeException | Error e) {
            inside.release();
            throw e;
        }
        if (Arrays.stream(ran.outer).anyMatch(Var::requiresGrad)) {
            frame.nodes.add(store ? new SegmentNode.Stored(this, where, in, ran) : new SegmentNode.Recomputed(this, where, body, in, ran.outer));
        } else {
            inside.release();
        }
        return ran.outer;
    }

    /// One run of a segment's body in a frame of its own.
    ///
    /// @param inner the results inside
    /// @param outer the same results, as the surrounding frame sees them
    record Ran(Inside inner, Var[] outer) {
    }

    /// @param leaves stand for the inputs inside
    /// @param results as the inside sees them
    record Inside(Frame frame, Var[] leaves, Var[] results) {
    }

    private Ran run(String where, Frame inside, Segment.Body body, Var[] in) {
        Frame outside = frame;
        try (Scope scope = backend.memory().open(where)) {
            Inside inner = run(inside, body, in);
            Var[] outer = Arrays.stream(inner.results)
                    .map(v -> new Var(this, scope.keep(v.value()), v.requiresGrad() && outside.mode != Frame.Mode.OFF, outside))
                    .toArray(Var[]::new);
            return new Ran(inner, outer);
        }
    }

    private Inside run(Frame inside, Segment.Body body, Var[] in) {
        Var[] given = Arrays.stream(in).map(v -> new Var(this, v.value(), v.requiresGrad(), inside)).toArray(Var[]::new);
        return new Inside(inside, given, inside(inside, () -> body.run(given.clone())));
    }

    private <T> T inside(Frame inner, Supplier<T> code) {
        Frame outer = frame;
        frame = inner;
        try {
            return code.get();
        } finally {
            frame = outer;
        }
    }

    private String path() {
        return String.join("/", path);
    }

    /// Runs a piece again for its backward pass, under the path that it had; of its results only what backward reads stays alive.
    Inside rerun(String where, Frame inside, Segment.Body body, Var[] in) {
        path.addLast(where);
        try (Scope _ = backend.memory().open(where)) {
            return run(inside, body, in);
        } finally {
            path.removeLast();
        }
    }

    /// Differentiates a scalar: adds d loss / d leaf and d loss / d parameter to `gradients`, and empties the tape.
    ///
    /// @param loss of one element
    /// @throws ShapeException if the loss has more than one element
    public void backward(Var loss, Gradients gradients) {
        if (loss.value().elements() != 1) {
            throw new ShapeException("backward: the loss must have one element, got " + loss);
        }
        try (Scope _ = backend.memory().open("backward")) {
            Tensor one = backend.empty("dloss", loss.spec());
            backend.fill(one, 1);
            backward(loss, one, gradients);
        }
    }

    /// Differentiates from the gradient of a result, and empties the tape. If it fails, it empties `gradients` too: part of a pass is no gradient.
    ///
    /// @param dy gradient of `y`, of its shape
    /// @throws IllegalStateException if `y` depends on nothing that requires a gradient, or was differentiated already
    /// @throws ShapeException if `dy` has another shape than `y`
    public void backward(Var y, Tensor dy, Gradients gradients) {
        if (frame != root) {
            throw new IllegalStateException("backward: must run outside of segments, got a call inside '" + path() + "'");
        }
        if (!y.requiresGrad()) {
            throw new IllegalStateException("backward: " + y + " depends on no parameter or input that requires a gradient");
        }
        if (!dy.shape().equals(y.shape())) {
            throw new ShapeException("backward: the gradient of " + y + " must be " + y.shape() + ", got " + dy.shape());
        }
        requireVisible("backward", y);
        Frame recorded = root;
        root = new Frame(Frame.Mode.RECORD);
        frame = root;
        boolean done = false;
        try {
            gradients.add(y.slot, dy);
            recorded.backward(gradients);
            done = true;
        } finally {
            recorded.release();
            if (!done) {
                gradients.clear();
            }
        }
    }

    /// Lets go of whatever was recorded and not differentiated.
    @Override public void close() {
        root.release();
    }
}
