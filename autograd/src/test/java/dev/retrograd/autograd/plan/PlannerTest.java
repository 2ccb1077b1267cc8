package dev.retrograd.autograd.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Plans are held against all the choices that there are, each of them run on the shape-only backend.
class PlannerTest {

    /// Builds a computation out of segments: from an input `[8,4]` to anything.
    @FunctionalInterface
    private interface Model {
        Var forward(PlanBackend b, Var x);
    }

    private static Pass simulate(Model model, Segment.Policy policy) {
        try (PlanBackend plan = new PlanBackend("cpu", 0); Gradients gradients = new Gradients(plan); Scope _ = plan.memory().open("weights")) {
            Tensor x = plan.zeros("x", Spec.f32(8, 4));
            SegmentTrace trace = new SegmentTrace(plan, policy);
            try (Scope _ = plan.memory().open("batch"); Tape tape = new Tape(plan, trace)) {
                tape.backward(model.forward(plan, tape.input(x)).apply(SumTo.all()), gradients);
            }
            gradients.clear();
            return trace.end();
        }
    }

    /// A trainable layer and a function that saves its input.
    private static Var layer(PlanBackend b, Var x, int width) {
        Parameter weight = new Parameter("w", b.zeros("w", Spec.f32(width, x.dim(1))), true);
        return new Linear("layer", weight, Optional.empty()).forward(x).apply(Unary.SILU);
    }

    private static Var chain(PlanBackend b, Var x, int... widths) {
        Var h = x;
        for (int i = 0; i < widths.length; i++) {
            int width = widths[i];
            h = h.tape().segment1("step " + i, in -> layer(b, layer(b, in[0], 3 * width), width), h);
        }
        return h;
    }

    private static Var nested(PlanBackend b, Var x, int... widths) {
        Var h = x;
        for (int i = 0; i < widths.length; i++) {
            int width = widths[i];
            h = h.tape().segment1("step " + i, in -> {
                Var inner = in[0].tape().segment1("down", v -> layer(b, layer(b, v[0], 4 * width), width), in[0]);
                return in[0].tape().segment1("up", v -> layer(b, layer(b, v[0], 2 * width), 4), inner.apply(Unary.GELU));
            }, h);
        }
        return h;
    }

    /// As in a UNet: what one segment gives is read by the next one and again by a late one.
    private static Var skips(PlanBackend b, Var x, int... widths) {
        return x.tape().segment1("step", outer -> {
            List<Var> states = new ArrayList<>();
            Var h = outer[0];
            for (int i = 0; i < widths.length; i++) {
                int width = widths[i];
                h = h.tape().segment1("down " + i, in -> layer(b, layer(b, in[0], 2 * width), width), h);
                states.add(h);
            }
            for (int i = widths.length - 1; i >= 0; i--) {
                int width = widths[i];
                h = h.tape().segment1("up " + i, in -> layer(b, in[0].apply(new Concat(-1), in[1]), width), h, states.get(i));
            }
            return h;
        }, x);
    }

    private static Set<String> paths(Model model) {
        Set<String> all = new TreeSet<>();
        simulate(model, path -> {
            all.add(path);
            return Segment.Retention.STORE;
        });
        return all;
    }

    /// Every choice there is, by brute force.
    private static List<RecomputationPlan> choices(Model model) {
        List<String> paths = List.copyOf(paths(model));
        return IntStream.range(0, 1 << paths.size()).mapToObj(bits -> {
            Set<String> recomputed = new HashSet<>();
            IntStream.range(0, paths.size()).filter(i -> (bits >> i & 1) == 1).forEach(i -> recomputed.add(paths.get(i)));
            return new RecomputationPlan(recomputed, simulate(model, p -> recomputed.contains(p) ? Segment.Retention.RECOMPUTE : Segment.Retention.STORE));
        }).toList();
    }

    private static void holdAgainstAll(Model model) {
        List<RecomputationPlan> all = choices(model);
        Planner planner = new Planner(policy -> simulate(model, policy));
        Set<Long> budgets = new TreeSet<>();
        all.forEach(p -> budgets.add(p.peak()));
        budgets.add(budgets.iterator().next() - 1);
        long least = all.stream().mapToLong(RecomputationPlan::peak).min().orElseThrow();
        assertEquals(least, planner.smallest().peak());
        for (long budget : budgets) {
            OptionalLong cheapest = all.stream().filter(p -> p.peak() <= budget).mapToLong(RecomputationPlan::flops).min();
            Optional<RecomputationPlan> plan = planner.within(budget);
            assertEquals(cheapest.isPresent(), plan.isPresent(), () -> "budget " + budget);
            plan.ifPresent(p -> {
                assertTrue(p.peak() <= budget, () -> p.peak() + " bytes are more than the budget of " + budget);
                assertEquals(cheapest.getAsLong(), p.flops(), () -> "budget " + budget + ": " + p.recomputed());
            });
        }
    }

    @Test void cheapestOfAllForEveryBudgetOfAChain() {
        holdAgainstAll((b, x) -> chain(b, x, 16, 64, 4, 128, 8, 32));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void cheapestOfAllForEveryBudgetOfARandomChain(int seed) {
        int[] widths = new Random(seed).ints(6, 1, 200).toArray();
        holdAgainstAll((b, x) -> chain(b, x, widths));
    }

    @Test void cheapestOfAllForEveryBudgetOfNestedSegments() {
        holdAgainstAll((b, x) -> nested(b, x, 32, 8, 64));
    }

    @Test void cheapestOfAllForEveryBudgetWhereSegmentsShareWhatTheyKeep() {
        holdAgainstAll((b, x) -> skips(b, x, 32, 8, 64));
    }
}
