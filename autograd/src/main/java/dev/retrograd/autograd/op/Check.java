package dev.retrograd.autograd.op;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// What operators require of their inputs, said the same way everywhere: `<op>: <what is required>, got <what came>`.
final class Check {
    private Check() {
    }

    /// @throws IllegalArgumentException unless there are exactly `count` inputs
    static Spec[] inputs(String op, int count, Spec... in) {
        return inputs(op, count, count, in);
    }

    /// @throws IllegalArgumentException unless there are `min` to `max` inputs
    static Spec[] inputs(String op, int min, int max, Spec... in) {
        if (in.length < min || in.length > max) {
            throw new IllegalArgumentException(op + ": takes " + (min == max ? min : min + " to " + max) + " inputs, got " + in.length);
        }
        return in;
    }

    /// @throws ShapeException naming the requirement and what came
    static void shape(boolean holds, String op, String required, Object... got) {
        if (!holds) {
            StringBuilder list = new StringBuilder();
            for (Object g : got) {
                list.append(list.isEmpty() ? "" : " and ").append(g instanceof Spec s ? s.shape() : g);
            }
            throw new ShapeException(op + ": " + required + ", got " + list);
        }
    }

    /// @throws DTypeException unless the type is a floating one
    static void floating(String op, Spec x) {
        if (!x.dtype().floating()) {
            throw new DTypeException(op + ": takes floating-point values, got " + x);
        }
    }

    /// Type of a weight's gradient, whatever the weight rests in: float32, in which optimisers sum; float64 where all is.
    ///
    /// @param dy the output's gradient
    static Spec ofWeight(Tensor dy, Shape weight) {
        return new Spec(weight, dy.dtype() == DType.F64 ? DType.F64 : DType.F32);
    }

    /// @throws ShapeException unless the input is `[channels]`
    static void vector(String op, String what, int channels, Spec v) {
        shape(v.shape().equals(Shape.of(channels)), op, what + " must be [" + channels + "]", v);
    }
}
