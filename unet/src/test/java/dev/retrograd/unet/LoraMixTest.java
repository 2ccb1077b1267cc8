package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.unet.LoraFile.Update;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;

class LoraMixTest {
    private final RandomValues random = new RandomValues(3);

    private Update update(int rank, int in, int out, double alpha, int kernel) {
        return new Update(rank, in, out, random.normal((long) rank * LoraFile.depth(in, kernel)), random.normal((long) out * rank), alpha, kernel);
    }

    private static LoraMix.Part part(String name, double weight, Map<String, Update> updates) {
        return new LoraMix.Part(name, new LinkedHashMap<>(updates), weight);
    }

    /// `(alpha/rank)·B·A`, row by row.
    private static double[] product(Update u) {
        int depth = u.a().length / u.rank();
        double[] p = new double[u.out() * depth];
        for (int row = 0; row < u.out(); row++) {
            for (int i = 0; i < depth; i++) {
                for (int r = 0; r < u.rank(); r++) {
                    p[row * depth + i] += u.alpha() / u.rank() * u.b()[row * u.rank() + r] * u.a()[r * depth + i];
                }
            }
        }
        return p;
    }

    private static double[] sum(double weight, double[] x, double other, double[] y) {
        double[] s = new double[x.length];
        for (int i = 0; i < s.length; i++) {
            s[i] = weight * x[i] + other * y[i];
        }
        return s;
    }

    private static double squared(double[] x) {
        double s = 0;
        for (double v : x) {
            s += v * v;
        }
        return s;
    }

    @Test void exactIsTheSumOfTheProductsWhateverRankAlphaAndModules() {
        Update a = update(2, 7, 5, 3, 0);
        Update b = update(3, 7, 5, 1.5, 0);
        Update only = update(1, 4, 6, 1, 0);
        SequencedMap<String, Update> mix = LoraMix.exact(List.of(part("A", 0.25, Map.of("to_q", a)), part("B", -2, Map.of("to_q", b, "to_k", only))));
        assertEquals(List.of("to_k", "to_q"), List.copyOf(mix.keySet()));
        assertEquals(5, mix.get("to_q").rank());
        Close.elements("sum", sum(0.25, product(a), -2, product(b)), product(mix.get("to_q")), 1e-6, 1e-6);
        Close.elements("alone", sum(-2, product(only), 0, product(only)), product(mix.get("to_k")), 1e-6, 1e-6);
    }

    @Test void convolutionsMixAsMatricesOfTheirKernels() {
        Update a = update(2, 3, 4, 2, 3);
        Update b = update(2, 3, 4, 2, 3);
        SequencedMap<String, Update> mix = LoraMix.exact(List.of(part("A", 0.5, Map.of("conv1", a)), part("B", 0.5, Map.of("conv1", b))));
        assertEquals(3, mix.get("conv1").kernel());
        Close.elements("sum", sum(0.5, product(a), 0.5, product(b)), product(mix.get("conv1")), 1e-6, 1e-6);
        Update small = LoraMix.truncate(mix, 3).updates().get("conv1");
        assertEquals(3, small.rank());
        assertEquals(4 * 3, small.b().length);
        assertEquals(3 * 27, small.a().length);
    }

    /// As upstream: with one LoRA at weight w, the update counts by w².
    @Test void factorsAreAveragedApart() {
        Update a = update(2, 7, 5, 2, 0);
        Update b = update(2, 7, 5, 2, 0);
        Update half = LoraMix.factors(List.of(part("A", 0.5, Map.of("to_q", a)))).get("to_q");
        Close.elements("square", sum(0.25, product(a), 0, product(a)), product(half), 1e-6, 1e-6);
        Update mix = LoraMix.factors(List.of(part("A", 0.5, Map.of("to_q", a)), part("B", 0.5, Map.of("to_q", b)))).get("to_q");
        assertEquals(0.5 * a.a()[3] + 0.5 * b.a()[3], mix.a()[3], 1e-6);
        assertEquals(0.5 * a.b()[3] + 0.5 * b.b()[3], mix.b()[3], 1e-6);
        double off = squared(sum(1, product(mix), -1, sum(0.5, product(a), 0.5, product(b))));
        assertTrue(off > 0.1, "products of both come in: " + off);
    }

    /// Eckart and Young: what is lost is the sum of the squares of the dropped singular values, and no other matrix of that rank is nearer.
    @Test void truncationIsTheNearestOfItsRank() {
        Update u = update(6, 9, 8, 3, 0);
        double[] whole = product(u);
        SequencedMap<String, Update> one = new LinkedHashMap<>(Map.of("to_q", u));
        double before = Double.POSITIVE_INFINITY;
        for (int rank = 1; rank <= 6; rank++) {
            LoraMix.Truncated t = LoraMix.truncate(one, rank);
            Update small = t.updates().get("to_q");
            assertEquals(rank, small.rank());
            double lost = squared(sum(1, whole, -1, product(small)));
            assertEquals(1 - lost / squared(whole), t.kept(), 1e-6);
            assertTrue(lost < before, "each rank brings it nearer");
            before = lost;
            if (rank < 6) {
                double[] moved = small.b().length == 0 ? new double[0] : product(new Update(rank, 9, 8, small.a(), nudged(small.b()), rank, 0));
                assertTrue(squared(sum(1, whole, -1, moved)) > lost, "any other is further away");
            }
        }
        assertEquals(0, before, 1e-6);
    }

    private static float[] nudged(float[] values) {
        float[] other = values.clone();
        other[0] += 0.01f;
        return other;
    }

    /// The same LoRA twice has twice the ranks and no more dimensions; more ranks than channels have no more than channels.
    @Test void dependentRanksAreFound() {
        Update a = update(2, 7, 5, 2, 0);
        SequencedMap<String, Update> twice = LoraMix.exact(List.of(part("A", 1, Map.of("to_q", a)), part("A", 0.5, Map.of("to_q", a))));
        LoraMix.Truncated t = LoraMix.truncate(twice, 2);
        assertEquals(1, t.kept(), 1e-9);
        Close.elements("1.5 times", sum(1.5, product(a), 0, product(a)), product(t.updates().get("to_q")), 1e-5, 1e-5);
        Update wide = update(9, 4, 3, 9, 0);
        LoraMix.Truncated three = LoraMix.truncate(new LinkedHashMap<>(Map.of("to_q", wide)), 8);
        assertEquals(3, three.updates().get("to_q").rank(), "no more than the matrix has");
        Close.elements("whole", product(wide), product(three.updates().get("to_q")), 1e-5, 1e-5);
        Update nothing = new Update(2, 4, 3, new float[8], new float[6], 2, 0);
        assertEquals(0, squared(product(LoraMix.truncate(new LinkedHashMap<>(Map.of("to_q", nothing)), 1).updates().get("to_q"))), 0);
    }

    private static void refused(String message, List<LoraMix.Part> parts, boolean factors) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, () -> {
            if (factors) {
                LoraMix.factors(parts);
            } else {
                LoraMix.exact(parts);
            }
        }).getMessage());
    }

    @Test void refusesWhatDoesNotGoTogether() {
        Update a = update(2, 7, 5, 2, 0);
        refused("mix: at least one LoRA is required, got none", List.of(), false);
        refused("mix: 'to_q' must have one shape, got 7 to 5 channels in A and 6 to 5 channels in B", List.of(part("A", 1, Map.of("to_q", a)), part("B", 1, Map.of("to_q", update(2, 6, 5, 2, 0)))), false);
        refused("mix: factors average only LoRAs of the same modules, but B has none for 'to_q'", List.of(part("A", 1, Map.of("to_q", a)), part("B", 1, Map.of())), true);
        refused("mix: factors average only LoRAs of one rank and alpha, but 'to_q' has 2 and 2.0 in A, 2 and 1.0 in B",
                List.of(part("A", 1, Map.of("to_q", a)), part("B", 1, Map.of("to_q", update(2, 7, 5, 1, 0)))), true);
        assertEquals("mix: the weight of A must be a finite number, got NaN", assertThrows(IllegalArgumentException.class, () -> part("A", Double.NaN, Map.of())).getMessage());
        assertEquals("mix: the rank must be 1 or more, got 0", assertThrows(IllegalArgumentException.class, () -> LoraMix.truncate(new LinkedHashMap<>(), 0)).getMessage());
    }
}
