package dev.retrograd.autograd;

import dev.retrograd.core.Tensor;
import java.util.ArrayList;
import java.util.List;

/// What was recorded in one stretch: the tape outside all segments, or the inside of one.
final class Frame {
    enum Mode {
        /// Operators save what backward needs.
        RECORD,
        /// Only who depends on a gradient is followed: the forward pass of a segment that will be recomputed.
        TRACK,
        /// Nothing is differentiated.
        OFF
    }

    /// One recorded step: an operator, or a segment.
    interface Node {
        String name();

        /// Adds the inputs' gradients, given those of the outputs, which it takes from `gradients`.
        void backward(Gradients gradients);

        /// Lets go of what was saved.
        void release();
    }

    final Mode mode;
    final List<Node> nodes = new ArrayList<>();
    private boolean differentiated;

    Frame(Mode mode) {
        this.mode = mode;
    }

    /// Runs the nodes backwards, letting go of each as soon as it is done.
    void backward(Gradients gradients) {
        differentiated = true;
        while (!nodes.isEmpty()) {
            Node node = nodes.removeLast();
            try {
                node.backward(gradients);
            } finally {
                node.release();
            }
        }
    }

    /// Whether its backward pass has begun: nothing more can be recorded on top of it.
    boolean differentiated() {
        return differentiated;
    }

    void release() {
        nodes.forEach(Node::release);
        nodes.clear();
    }

    static void retainAll(Iterable<Tensor> tensors) {
        tensors.forEach(t -> t.storage().retain());
    }

    static void releaseAll(Iterable<Tensor> tensors, String by) {
        tensors.forEach(t -> t.storage().release(by));
    }
}
