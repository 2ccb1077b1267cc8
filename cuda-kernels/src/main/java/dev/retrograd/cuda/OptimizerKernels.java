package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.Tensor;

/// Launches `optimizer.cu`: what {@link dev.retrograd.core.OptimizerKernels} asks for.
final class OptimizerKernels {
    private static final DType[] F32 = {DType.F32};

    private final Launcher launcher;

    OptimizerKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v) {
        Launcher.sameType("adamw", F32, grad, gradientScale, p, m, v);
        for (Tensor t : new Tensor[] {grad, m, v}) {
            Launcher.sameElements("adamw", t, p);
        }
        launcher.arguments().i64(address(grad)).i64(address(gradientScale)).i64(address(p)).i64(address(m)).i64(address(v)).i64(p.elements())
                .f64(1 - step.learningRate() * step.weightDecay()).f64(step.beta1()).f64(step.beta2())
                .f64(step.learningRate() / (1 - Math.pow(step.beta1(), step.t()))).f64(1 / Math.sqrt(1 - Math.pow(step.beta2(), step.t()))).f64(step.eps());
        launcher.overElements("optimizer", "adamw_f32", p.elements());
    }

    void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        Launcher.sameType("clipFactor", F32, norm, y);
        launcher.arguments().i64(address(norm)).f64(maxNorm).i64(address(y));
        launcher.launch("optimizer", "clip_factor_f32", LaunchGrid.of(1, 1));
    }
}
