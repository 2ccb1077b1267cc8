package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;
import java.util.List;

/// A recorded segment: its backward runs that of the frame inside and hands the leaves' gradients to the inputs.
///
/// Stored and recomputed segments add up gradients in the same order, so that both give the same bits.
abstract sealed class SegmentNode implements Frame.Node {
    final Tape tape;
    private final String name;
    final Var[] in;
    private final Object[] outSlots;

    SegmentNode(Tape tape, String name, Var[] in, Var[] out) {
        this.tape = tape;
        this.name = name;
        this.in = in.clone();
        outSlots = Arrays.stream(out).map(v -> v.requiresGrad() ? v.slot : null).toArray();
    }

    @Override public String name() {
        return name;
    }

    final boolean differentiates(int result) {
        return outSlots[result] != null;
    }

    @Override public void backward(Gradients gradients) {
        Tensor[] dy = Arrays.stream(outSlots).map(slot -> slot == null ? null : gradients.take(slot)).toArray(Tensor[]::new);
        if (Arrays.stream(dy).allMatch(d -> d == null)) {
            return;
        }
        List<Tensor> taken = Arrays.stream(dy).filter(d -> d != null).toList();
        Backend backend = tape.backend();
        try (Scope _ = backend.memory().open(name + " backward")) {
            Tape.Inside inside = inside();
            for (int i = 0; i < dy.length; i++) {
                if (dy[i] != null) {
                    gradients.add(inside.results()[i].slot, dy[i]);
                }
            }
            Frame.releaseAll(taken, name + " backward");
            taken = List.of();
            try {
                inside.frame().backward(gradients);
            } finally {
                inside.frame().release();
            }
            for (int i = 0; i < in.length; i++) {
                Tensor dx = gradients.take(inside.leaves()[i].slot);
                if (dx != null) {
                    gradients.add(in[i].slot, dx);
                    dx.storage().release(name + " backward");
                }
            }
        } finally {
            Frame.releaseAll(taken, name + " backward");
        }
    }

    /// What was recorded inside, stored or made again.
    abstract Tape.Inside inside();

    /// Keeps what every operator inside saved.
    static final class Stored extends SegmentNode {
        private final Tape.Inside inside;

        Stored(Tape tape, String name, Var[] in, Tape.Ran ran) {
            super(tape, name, in, ran.outer());
            inside = ran.inner();
        }

        @Override Tape.Inside inside() {
            return inside;
        }

        @Override public void release() {
            inside.frame().release();
        }
    }

    /// Keeps the inputs only and runs the body again, recording.
    static final class Recomputed extends SegmentNode {
        private final Segment.Body body;
        private final Spec[] specs;
        private final List<Tensor> kept;
        private boolean released;

        Recomputed(Tape tape, String name, Segment.Body body, Var[] in, Var[] out) {
            super(tape, name, in, out);
            this.body = body;
            specs = Arrays.stream(out).map(Var::spec).toArray(Spec[]::new);
            kept = Arrays.stream(in).map(Var::value).toList();
            Frame.retainAll(kept);
        }

        /// Afterwards the operators inside hold those inputs that they read; the others die here, before the gradients are made.
        @Override Tape.Inside inside() {
            Frame frame = new Frame(Frame.Mode.RECORD);
            try {
                Tape.Inside again = tape.rerun(name(), frame, body, in);
                requireSame(again.results());
                release();
                return again;
            } catch (RuntimeException | Error e) {
                frame.release();
                throw e;
            }
        }

        private void requireSame(Var[] again) {
            boolean same = again.length == specs.length;
            for (int i = 0; same && i < specs.length; i++) {
                same = again[i].spec().equals(specs[i]);
            }
            if (!same) {
                throw new IllegalStateException("segment '" + name() + "': must give " + Arrays.toString(specs) + " each time that it runs, got "
                        + Arrays.toString(Arrays.stream(again).map(Var::spec).toArray()));
            }
            for (int i = 0; i < specs.length; i++) {
                if (differentiates(i) && !again[i].requiresGrad()) {
                    throw new IllegalStateException("segment '" + name() + "': result " + i + " must depend on what requires a gradient each time that it runs, got "
                            + again[i] + "; nothing may be frozen between forward and backward");
                }
            }
        }

        @Override public void release() {
            if (!released) {
                released = true;
                Frame.releaseAll(kept, name() + " backward");
            }
        }
    }
}
