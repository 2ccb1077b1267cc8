package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.List;

/// Limits the global norm of all gradients: they are scaled by `min(1, maxNorm/(norm + 1e-6))`. Parity: torch.nn.utils.clip_grad_norm_.
///
/// The gradients stay as they are; the optimiser applies the factor as it reads them.
///
/// @param maxNorm above 0; infinite: never scaled
public record GradientClip(double maxNorm) {
    /// Measures the norm and scales nothing.
    public static final GradientClip NONE = new GradientClip(Double.POSITIVE_INFINITY);

    /// Both in the backend's memory, so that nothing waits for the device before the optimiser has run.
    ///
    /// @param norm of all gradients before clipping, `F32 []`
    /// @param factor for the gradients, `F32 []`; NaN if the norm is
    public record Clipped(Tensor norm, Tensor factor) {

        /// The norm as a number; waits for the device.
        public double norm(Backend backend) {
            return backend.toFloats(norm)[0];
        }
    }

    public GradientClip {
        if (!(maxNorm > 0)) {
            throw new IllegalArgumentException("clip: the maximum norm must be above 0, got " + maxNorm);
        }
    }

    /// The norm and the factor, in the innermost open scope.
    ///
    /// @param parameters whose gradients count, summed in this order; those without a gradient count as zero
    /// @throws IllegalStateException if none has a gradient
    public Clipped apply(Backend backend, Gradients gradients, List<Parameter> parameters) {
        List<Tensor> all = parameters.stream().flatMap(p -> gradients.of(p).stream()).toList();
        if (all.isEmpty()) {
            throw new IllegalStateException("clip: one of the " + parameters.size() + " parameters or more must have a gradient, got none");
        }
        Tensor norm = backend.empty("gradientNorm", Spec.f32());
        backend.globalNorm(all, norm);
        Tensor factor = backend.empty("clipFactor", Spec.f32());
        if (Double.isInfinite(maxNorm)) {
            backend.fill(factor, 1);
        } else {
            backend.clipFactor(norm, maxNorm, factor);
        }
        return new Clipped(norm, factor);
    }
}
