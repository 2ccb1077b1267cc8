package dev.retrograd.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment.Policy;
import dev.retrograd.autograd.Segment.Retention;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Memory;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.testing.RandomValues;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What segments promise on every backend: the same gradients however they are kept, and memory that a plan foretells to the byte.
abstract class SegmentContract {
    private static final int STEPS = 3;
    private static final int MICRO_BATCHES = 2;
    private static final Map<String, Policy> POLICIES = policies();

    /// Closed by the test.
    abstract Backend open();

    private static Map<String, Policy> policies() {
        Map<String, Policy> policies = new LinkedHashMap<>();
        policies.put("stored", Policy.STORE_ALL);
        policies.put("recomputed", Policy.RECOMPUTE_ALL);
        policies.put("steps recomputed, blocks stored", path -> path.contains("/") ? Retention.STORE : Retention.RECOMPUTE);
        policies.put("steps stored, blocks recomputed", path -> path.contains("/") ? Retention.RECOMPUTE : Retention.STORE);
        policies.put("every other one", path -> Set.of("step 0", "step 2", "step 1/block 0", "reward").contains(path) ? Retention.STORE : Retention.RECOMPUTE);
        return policies;
    }

    static List<String> names() {
        return List.copyOf(POLICIES.keySet());
    }

    @ParameterizedTest
    @MethodSource("names")
    void gradientsDoNotDependOnWhatIsKept(String policy) {
        Map<String, float[]> expected = gradients(open(), Policy.STORE_ALL);
        Map<String, float[]> got = gradients(open(), POLICIES.get(policy));
        assertEquals(expected.keySet(), got.keySet());
        expected.forEach((name, d) -> assertArrayEquals(d, got.get(name), name));
        for (String name : List.of("x", "lora_A", "lora_B", "beta")) {
            double squares = 0;
            for (float g : expected.get(name)) {
                squares += g * g;
            }
            assertTrue(squares > 0 && squares < Double.POSITIVE_INFINITY, name + " has a finite gradient other than zero, got squared norm " + squares);
        }
    }

    /// Loss and gradients of the chain by name, on a backend that it closes.
    static Map<String, float[]> gradients(Backend b, Policy policy) {
        Map<String, float[]> out = new LinkedHashMap<>();
        try (b; Chain chain = new Chain(b); Gradients gradients = new Gradients(b); Tape tape = new Tape(b, policy)) {
            Var x = tape.input(Chain.latent(b));
            Var loss = chain.loss(tape, STEPS, x);
            out.put("loss", b.toFloats(loss.value()));
            tape.backward(loss, gradients);
            out.put("x", b.toFloats(gradients.of(x).orElseThrow()));
            for (Parameter p : chain.parameters) {
                gradients.of(p).ifPresent(d -> out.put(p.name(), b.toFloats(d)));
            }
        }
        return out;
    }

    @ParameterizedTest
    @MethodSource("names")
    void aPlanForetellsEveryByte(String policy) {
        try (Backend b = open(); PlanBackend plan = new PlanBackend(b.name(), 0)) {
            assertEquals(update(plan, POLICIES.get(policy)), update(b, POLICIES.get(policy)), "live and peak bytes after each forward and backward pass");
            assertEquals(plan.memory().allocations(), b.memory().allocations(), "allocations");
        }
    }

    /// Live and peak bytes after each pass of two micro-batches whose gradients add up.
    private static List<Long> update(Backend b, Policy policy) {
        List<Long> footprint = new ArrayList<>();
        Memory m = b.memory();
        try (Chain chain = new Chain(b); Gradients gradients = new Gradients(b)) {
            long weights = m.liveBytes();
            for (int micro = 0; micro < MICRO_BATCHES; micro++) {
                try (Scope _ = m.open("micro-batch"); Tape tape = new Tape(b, policy)) {
                    m.resetPeak();
                    Var loss = chain.loss(tape, STEPS, tape.constant(Chain.latent(b)));
                    footprint.addAll(List.of(m.liveBytes(), m.peakBytes()));
                    m.resetPeak();
                    tape.backward(loss, gradients);
                    footprint.addAll(List.of(m.liveBytes(), m.peakBytes()));
                }
                assertEquals(Set.copyOf(chain.trainable()), Set.copyOf(gradients.parameters()), "parameters with a gradient");
                long held = chain.trainable().stream().mapToLong(p -> gradients.of(p).orElseThrow().storage().bytes()).sum();
                assertEquals(weights + held, m.liveBytes(), "after backward, parameters and gradients are all that lives");
            }
        }
        assertEquals(0, m.liveBytes(), "when all is closed nothing lives");
        return footprint;
    }

    @Test void recomputingTakesLessMemoryThanStoring() {
        try (Backend b = open()) {
            long stored = update(b, Policy.STORE_ALL).stream().mapToLong(x -> x).max().orElseThrow();
            long recomputed = update(b, Policy.RECOMPUTE_ALL).stream().mapToLong(x -> x).max().orElseThrow();
            assertTrue(recomputed < stored, "recomputed " + recomputed + ", stored " + stored);
        }
    }

    /// n segments y = exp(exp(x)) of tensors of one size, which is the unit; the chain's n + 1 boundaries stay with the scope around.
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void peaksAreWhatArithmeticSays(int n) {
        int size = 1024;
        // Forward: n boundaries, then both results of the last segment. Backward: n + 1 boundaries, the caller's dy, the gradient that
        // came from the segment after (the last one has none after it), and in the open segment h and y again.
        assertEquals(List.of(n + 2L, n + (n == 1 ? 4L : 5L)), peaks(Policy.RECOMPUTE_ALL, n, size), "recomputed");
        // Forward: n + 1 boundaries and every h. Backward: the caller's dy and the last segment's dh more; then an h goes for each new gradient.
        assertEquals(List.of(2 * n + 1L, 2 * n + 3L), peaks(Policy.STORE_ALL, n, size), "stored");
    }

    private List<Long> peaks(Policy policy, int n, int size) {
        try (Backend b = open(); Tape tape = new Tape(b, policy); Gradients gradients = new Gradients(b)) {
            Memory m = b.memory();
            Tensor x = b.floats("x", Shape.of(size), new RandomValues(8).uniform(size, -2, -1));
            Var y = tape.input(x);
            for (int i = 0; i < n; i++) {
                y = tape.segment1("segment " + i, in -> in[0].apply(Unary.EXP).apply(Unary.EXP), y);
            }
            long unit = x.storage().bytes();
            long forward = m.peakBytes() / unit;
            assertEquals(0, m.peakBytes() % unit);
            Tensor dy = b.zeros("dy", y.spec());
            m.resetPeak();
            tape.backward(y, dy, gradients);
            assertEquals(0, m.peakBytes() % unit);
            return List.of(forward, m.peakBytes() / unit);
        }
    }
}
