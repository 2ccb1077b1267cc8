package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// A differentiable operator: output spec, forward, backward and what backward needs saved, side by side in one file.
///
/// Attributes are record components. An operator allocates its results in the innermost open scope; only {@link Tape} adds gradients,
/// and only `Tape` decides how long `S` lives.
///
/// @param <S> what backward reads: a record whose `Tensor` components stay alive until then
public interface Op<S extends Record> {

    /// What messages, scopes and profiles call it.
    default String name() {
        String n = getClass().getSimpleName();
        return Character.toLowerCase(n.charAt(0)) + n.substring(1);
    }

    /// Shape and type of the output.
    ///
    /// @throws dev.retrograd.core.ShapeException if the inputs do not fit
    Spec out(Spec... in);

    /// Computes the output and picks what the gradients in `needs` will read; `saved` is `null` when that is nothing.
    Out<S> forward(Backend b, Needs needs, Tensor... in);

    /// One gradient per input, in order; `null` where none is needed. Optional inputs that were not given may be counted, with `null`.
    ///
    /// A returned tensor may be `dy` itself or a view of it; nothing may write into `dy`.
    Tensor[] backward(Backend b, S saved, Tensor dy, Needs needs);

    /// What forward gives back.
    record Out<S extends Record>(Tensor y, S saved) {
    }

    /// For operators whose backward reads nothing but `dy`.
    record Nothing() {
    }
}
