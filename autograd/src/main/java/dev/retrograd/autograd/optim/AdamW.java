package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.OptimizerKernels.AdamWWeight;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Adam with decoupled weight decay. Source: arXiv 1711.05101, algorithm 2. Parity: torch.optim.AdamW.
///
/// Holds two moments per parameter, float32 of its shape, in the backend's memory until {@link #close()}. Steps are counted per parameter,
/// as upstream does, since one without gradient may be left out.
public final class AdamW implements Optimizer {
    private final Backend backend;
    private final Hyperparameters how;
    private final List<Slot> slots = new ArrayList<>();

    /// @param beta1 decay of the first moment, in [0,1)
    /// @param beta2 decay of the second moment, in [0,1)
    /// @param eps added to the root of the second moment, above 0
    /// @param weightDecay times the learning rate: what is taken off each weight per step, 0 or more
    public record Hyperparameters(double beta1, double beta2, double eps, double weightDecay) {
        /// The values of AlignProp's released code.
        public static final Hyperparameters DEFAULT = new Hyperparameters(0.9, 0.999, 1e-8, 1e-4);

        public Hyperparameters {
            require(beta1 >= 0 && beta1 < 1, "beta1 must be in [0,1)", beta1);
            require(beta2 >= 0 && beta2 < 1, "beta2 must be in [0,1)", beta2);
            require(eps > 0 && Double.isFinite(eps), "eps must be above 0", eps);
            require(weightDecay >= 0 && Double.isFinite(weightDecay), "weight decay must be 0 or more", weightDecay);
        }
    }

    /// What to do about a trainable parameter that got no gradient.
    public enum Missing {
        /// It is an error: something upstream of it stopped the gradient.
        REFUSE,
        /// It stays as it is, and its step is not counted.
        SKIP
    }

    private static final class Slot {
        final Parameter parameter;
        final Tensor m;
        final Tensor v;
        long t;

        Slot(Backend b, Parameter p) {
            parameter = p;
            m = Owned.zeros(b, p.name() + ".exp_avg", p);
            v = Owned.zeros(b, p.name() + ".exp_avg_sq", p);
        }
    }

    private static void require(boolean holds, String required, double got) {
        if (!holds) {
            throw new IllegalArgumentException("adamw: " + required + ", got " + got);
        }
    }

    /// @param parameters what is updated, in this order: trainable, float32, each name once
    /// @throws IllegalArgumentException if they are not
    public AdamW(Backend backend, List<Parameter> parameters, Hyperparameters how) {
        this.backend = backend;
        this.how = how;
        for (Parameter p : Owned.requireTrainable("adamw", parameters)) {
            slots.add(new Slot(backend, p));
        }
    }

    /// What is updated, in order.
    public List<Parameter> parameters() {
        return slots.stream().map(s -> s.parameter).toList();
    }

    /// One step with the gradients as they are.
    ///
    /// @throws IllegalStateException if a trainable parameter got no gradient; nothing is updated then
    public void step(Gradients gradients, double learningRate) {
        try (Scope _ = backend.memory().open("adamw")) {
            Tensor one = backend.empty("one", Spec.f32());
            backend.fill(one, 1);
            step(gradients, learningRate, one, Missing.REFUSE);
        }
    }

    @Override public void step(Gradients gradients, double learningRate, Tensor gradientScale) {
        step(gradients, learningRate, gradientScale, Missing.REFUSE);
    }

    /// One step. Parameters frozen since construction are left out.
    ///
    /// @param learningRate 0 or more
    /// @param gradientScale `F32 []`, the factor of {@link GradientClip#apply}
    /// @throws IllegalStateException if a trainable parameter got no gradient and `missing` refuses that; nothing is updated then
    public void step(Gradients gradients, double learningRate, Tensor gradientScale, Missing missing) {
        require(learningRate >= 0 && Double.isFinite(learningRate), "learning rate must be 0 or more", learningRate);
        List<Slot> due = slots.stream().filter(s -> s.parameter.trainable()).toList();
        List<Slot> without = due.stream().filter(s -> gradients.of(s.parameter).isEmpty()).toList();
        if (missing == Missing.REFUSE && !without.isEmpty()) {
            throw new IllegalStateException("adamw: every trainable parameter must get a gradient, got none for '" + without.getFirst().parameter.name()
                    + "'" + (without.size() == 1 ? "" : " and " + (without.size() - 1) + " more of " + due.size()));
        }
        SequencedMap<Long, List<AdamWWeight>> byStep = new LinkedHashMap<>();
        for (Slot s : due) {
            gradients.of(s.parameter).ifPresent(g -> byStep.computeIfAbsent(++s.t, _ -> new ArrayList<>()).add(new AdamWWeight(g, s.parameter.value(), s.m, s.v)));
        }
        byStep.forEach((t, weights) ->
                backend.adamw(new AdamWStep(learningRate, how.beta1(), how.beta2(), how.eps(), how.weightDecay(), t), gradientScale, weights));
    }

    /// The state by name, to be saved: for each parameter `NAME.exp_avg` and `NAME.exp_avg_sq`, the moments themselves, and `NAME.step`, an
    /// `I64 []` in the innermost open scope.
    @Override public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        for (Slot s : slots) {
            state.put(s.m.name(), s.m);
            state.put(s.v.name(), s.v);
            Tensor t = backend.empty(stepName(s), new Spec(Shape.of(), DType.I64));
            backend.upload(MemorySegment.ofArray(new long[] {s.t}), t);
            state.put(t.name(), t);
        }
        return state;
    }

    private static String stepName(Slot s) {
        return s.parameter.name() + ".step";
    }

    /// Takes over a state that {@link #state()} gave; copies it, but for moments that are this optimiser's own tensors.
    ///
    /// @throws IllegalArgumentException if a name is missing or unknown, or a shape or type differs; nothing is changed then
    @Override public void restore(Map<String, Tensor> saved) {
        try (Scope _ = backend.memory().open("adamw restore")) {
            SequencedMap<String, Tensor> own = state();
            Owned.requireNames("adamw", own.keySet(), saved.keySet());
            own.forEach((name, t) -> Owned.requireSpec("adamw", name, t, saved.get(name)));
            for (Slot s : slots) {
                Owned.take(backend, saved.get(s.m.name()), s.m);
                Owned.take(backend, saved.get(s.v.name()), s.v);
                long[] t = new long[1];
                backend.download(saved.get(stepName(s)), MemorySegment.ofArray(t));
                s.t = t[0];
            }
        }
    }

    /// Frees the moments.
    @Override public void close() {
        for (Slot s : slots) {
            s.m.storage().release("closing adamw");
            s.v.storage().release("closing adamw");
        }
        slots.clear();
    }
}
