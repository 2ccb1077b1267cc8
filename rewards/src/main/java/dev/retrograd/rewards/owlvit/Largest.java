package dev.retrograd.rewards.owlvit;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.Unary;

/// The largest of each row, by a tournament of `max(a, b) = b + relu(a − b)`: the gradient goes to the winner alone. Parity: torch.max with dim −1.
final class Largest {
    private Largest() {
    }

    /// @param x `[B,N]`, N of 1 or more
    /// @return `[B]`
    static Var of(Var x) {
        Var left = x;
        while (left.dim(1) > 1) {
            // With an odd number the middle one meets two others, which changes no maximum.
            int half = (left.dim(1) + 1) / 2;
            Var a = left.apply(new Slice(1, 0, half));
            Var b = left.apply(new Slice(1, left.dim(1) - half, half));
            left = b.plus(a.minus(b).apply(Unary.RELU));
        }
        return left.reshape(x.dim(0));
    }
}
