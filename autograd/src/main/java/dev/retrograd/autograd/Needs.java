package dev.retrograd.autograd;

/// Which inputs of an operator need a gradient; a frozen weight's is never computed, and nothing is saved for it.
///
/// @param mask bit i stands for input i
public record Needs(long mask) {
    public static final Needs NONE = new Needs(0);

    /// @throws IllegalArgumentException for more than 64 inputs
    public static Needs of(Var... in) {
        if (in.length > Long.SIZE) {
            throw new IllegalArgumentException("operator: takes at most " + Long.SIZE + " inputs, got " + in.length);
        }
        long mask = 0;
        for (int i = 0; i < in.length; i++) {
            mask |= in[i].requiresGrad() ? 1L << i : 0;
        }
        return new Needs(mask);
    }

    public boolean of(int input) {
        return (mask >>> input & 1) != 0;
    }

    /// Whether any of these inputs needs one.
    public boolean any(int... inputs) {
        for (int i : inputs) {
            if (of(i)) {
                return true;
            }
        }
        return false;
    }
}
