package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Gradient descent with momentum on spheres: each parameter keeps the norm that it started with, as a noise latent must.
///
/// `v ← μ·v + clamp(lr·g, −c, c)`, `x ← x − v + σ·n` with n ~ N(0,1), `x ← x·‖x₀‖/‖x‖`. Source: DOODL (arXiv 2303.13703), §4, and its released code.
public final class SphericalMomentum implements Optimizer {
    private final Backend backend;
    private final Hyperparameters how;
    private final Perturbation perturbation;
    private final List<Slot> slots = new ArrayList<>();
    private long steps;

    /// @param momentum μ, in [0,1)
    /// @param clip c, above 0: most that an element of the gradient, times the learning rate, counts
    /// @param noise σ, 0 or more
    public record Hyperparameters(double momentum, double clip, double noise) {
        /// The released code's.
        public static final Hyperparameters DEFAULT = new Hyperparameters(0.9, 1e-3, 1e-4);

        public Hyperparameters {
            require(momentum >= 0 && momentum < 1, "momentum must be in [0,1)", momentum);
            require(clip > 0 && Double.isFinite(clip), "clip must be above 0", clip);
            require(noise >= 0 && Double.isFinite(noise), "noise must be 0 or more", noise);
        }
    }

    /// Where n comes from: the same each time that it is asked for.
    @FunctionalInterface
    public interface Perturbation {
        /// @param step counted from 0
        /// @param parameter its place in the list
        /// @return so many values of N(0,1)
        float[] of(long step, int parameter, int count);
    }

    private static final class Slot {
        final Parameter parameter;
        final Tensor v;
        final Tensor norm;

        Slot(Backend b, Parameter p) {
            parameter = p;
            v = Owned.zeros(b, p.name() + ".momentum", p);
            try (Scope _ = b.memory().open(p.name())) {
                norm = b.empty(p.name() + ".norm", Spec.f32());
                norm.storage().retain();
            }
            b.globalNorm(List.of(p.value()), norm);
        }
    }

    private static void require(boolean holds, String required, double got) {
        if (!holds) {
            throw new IllegalArgumentException("spherical momentum: " + required + ", got " + got);
        }
    }

    /// @param parameters what is updated, in this order, each with the norm that it keeps: trainable, float32, each name once
    /// @throws IllegalArgumentException if they are not
    public SphericalMomentum(Backend backend, List<Parameter> parameters, Hyperparameters how, Perturbation perturbation) {
        this.backend = backend;
        this.how = how;
        this.perturbation = perturbation;
        for (Parameter p : Owned.requireTrainable("spherical momentum", parameters)) {
            slots.add(new Slot(backend, p));
        }
    }

    @Override public void step(Gradients gradients, double learningRate, Tensor gradientScale) {
        require(learningRate >= 0 && Double.isFinite(learningRate), "learning rate must be 0 or more", learningRate);
        for (Slot s : slots) {
            if (gradients.of(s.parameter).isEmpty()) {
                throw new IllegalStateException("spherical momentum: every parameter must get a gradient, got none for '" + s.parameter.name() + "'");
            }
        }
        for (int i = 0; i < slots.size(); i++) {
            Slot s = slots.get(i);
            try (Scope _ = backend.memory().open("spherical momentum")) {
                step(s, i, gradients.of(s.parameter).orElseThrow(), learningRate, gradientScale);
            }
        }
        steps++;
    }

    private void step(Slot s, int place, Tensor gradient, double learningRate, Tensor gradientScale) {
        Tensor x = s.parameter.value();
        Tensor g = backend.binary(Binary.MUL, gradient, gradientScale);
        backend.linearCombination(0, new double[] {learningRate}, new Tensor[] {g}, g);
        backend.unary(Unary.clamp(-how.clip, how.clip), g, g);
        backend.linearCombination(0, new double[] {how.momentum, 1}, new Tensor[] {s.v, g}, s.v);
        backend.linearCombination(0, new double[] {1, -1}, new Tensor[] {x, s.v}, x);
        if (how.noise > 0) {
            Tensor n = backend.floats("perturbation", x.shape(), perturbation.of(steps, place, Math.toIntExact(x.elements())));
            backend.linearCombination(0, new double[] {1, how.noise}, new Tensor[] {x, n}, x);
        }
        Tensor norm = backend.empty("norm", Spec.f32());
        backend.globalNorm(List.of(x), norm);
        backend.binary(Binary.DIV, s.norm, norm, norm);
        backend.binary(Binary.MUL, x, norm, x);
    }

    /// For each parameter `NAME.momentum` and `NAME.norm`, and `spherical.steps`, an `I64 []` in the innermost open scope.
    @Override public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        for (Slot s : slots) {
            state.put(s.v.name(), s.v);
            state.put(s.norm.name(), s.norm);
        }
        Tensor t = backend.empty("spherical.steps", new Spec(Shape.of(), DType.I64));
        backend.upload(MemorySegment.ofArray(new long[] {steps}), t);
        state.put(t.name(), t);
        return state;
    }

    @Override public void restore(Map<String, Tensor> saved) {
        try (Scope _ = backend.memory().open("spherical momentum restore")) {
            SequencedMap<String, Tensor> own = state();
            Owned.requireNames("spherical momentum", own.keySet(), saved.keySet());
            own.forEach((name, t) -> Owned.requireSpec("spherical momentum", name, t, saved.get(name)));
            for (Slot s : slots) {
                Owned.take(backend, saved.get(s.v.name()), s.v);
                Owned.take(backend, saved.get(s.norm.name()), s.norm);
            }
            long[] t = new long[1];
            backend.download(saved.get("spherical.steps"), MemorySegment.ofArray(t));
            steps = t[0];
        }
    }

    @Override public void close() {
        for (Slot s : slots) {
            s.v.storage().release("closing spherical momentum");
            s.norm.storage().release("closing spherical momentum");
        }
        slots.clear();
    }
}
