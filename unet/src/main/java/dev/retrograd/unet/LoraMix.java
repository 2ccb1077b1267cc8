package dev.retrograd.unet;

import dev.retrograd.unet.LoraFile.Update;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.TreeSet;

/// Weighted sums of LoRAs as one LoRA.
public final class LoraMix {

    private LoraMix() {
    }

    /// One of those that are mixed.
    ///
    /// @param name what messages call it
    /// @param weight its factor, finite
    public record Part(String name, SequencedMap<String, Update> updates, double weight) {
        public Part {
            if (!Double.isFinite(weight)) {
                throw new IllegalArgumentException("mix: the weight of " + name + " must be a finite number, got " + weight);
            }
        }
    }

    /// A mix of fewer ranks.
    ///
    /// @param kept share of the squared Frobenius norm of all updates that is left, 0..1
    public record Truncated(SequencedMap<String, Update> updates, double kept) {
    }

    /// The sum of the updates themselves, `Σ weight·(alpha/rank)·B·A`: what the model would wear with all of them at once. Ranks add; a module need not be in all.
    ///
    /// @throws IllegalArgumentException if there is no part, or two have a module in different shapes; names them
    public static SequencedMap<String, Update> exact(List<Part> parts) {
        SequencedMap<String, Update> mix = new LinkedHashMap<>();
        for (String module : modules(parts)) {
            List<Part> owners = parts.stream().filter(p -> p.updates().containsKey(module)).toList();
            mix.put(module, concatenated(module, owners));
        }
        return mix;
    }

    private static SequencedSet<String> modules(List<Part> parts) {
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("mix: at least one LoRA is required, got none");
        }
        SequencedSet<String> modules = new TreeSet<>();
        parts.forEach(p -> modules.addAll(p.updates().keySet()));
        return modules;
    }

    private static void requireFit(String module, Part one, Part other) {
        Update a = one.updates().get(module);
        Update b = other.updates().get(module);
        if (a.in() != b.in() || a.out() != b.out() || a.kernel() != b.kernel()) {
            throw new IllegalArgumentException("mix: '" + module + "' must have one shape, got " + shape(a) + " in " + one.name() + " and " + shape(b) + " in " + other.name());
        }
    }

    private static String shape(Update u) {
        return u.in() + " to " + u.out() + " channels" + (u.kernel() > 1 ? " with a kernel of " + u.kernel() : "");
    }

    private static Update concatenated(String module, List<Part> owners) {
        owners.forEach(p -> requireFit(module, owners.getFirst(), p));
        Update first = owners.getFirst().updates().get(module);
        int depth = LoraFile.depth(first.in(), first.kernel());
        int rank = owners.stream().mapToInt(p -> p.updates().get(module).rank()).sum();
        float[] a = new float[Math.multiplyExact(rank, depth)];
        float[] b = new float[Math.multiplyExact(first.out(), rank)];
        int at = 0;
        for (Part part : owners) {
            Update u = part.updates().get(module);
            double factor = part.weight() * u.alpha() / u.rank();
            System.arraycopy(u.a(), 0, a, at * depth, u.a().length);
            for (int row = 0; row < u.out(); row++) {
                for (int r = 0; r < u.rank(); r++) {
                    b[row * rank + at + r] = (float) (factor * u.b()[row * u.rank() + r]);
                }
            }
            at += u.rank();
        }
        return new Update(rank, first.in(), first.out(), a, b, rank, first.kernel());
    }

    /// The average of the factors, `A = Σ weight·A` and `B = Σ weight·B`, as the released AlignProp code mixes: not the sum of the updates, since products of
    /// different LoRAs' factors come in, and those of one count by the square of its weight.
    ///
    /// @throws IllegalArgumentException if there is no part, or they differ in modules, shapes, ranks or alpha/rank; names them
    public static SequencedMap<String, Update> factors(List<Part> parts) {
        SequencedMap<String, Update> mix = new LinkedHashMap<>();
        for (String module : modules(parts)) {
            Optional<Part> without = parts.stream().filter(p -> !p.updates().containsKey(module)).findFirst();
            if (without.isPresent()) {
                throw new IllegalArgumentException("mix: factors average only LoRAs of the same modules, but " + without.get().name() + " has none for '" + module + "'");
            }
            mix.put(module, averaged(module, parts));
        }
        return mix;
    }

    private static Update averaged(String module, List<Part> parts) {
        Part one = parts.getFirst();
        Update first = one.updates().get(module);
        float[] a = new float[first.a().length];
        float[] b = new float[first.b().length];
        for (Part part : parts) {
            requireFit(module, one, part);
            Update u = part.updates().get(module);
            if (u.rank() != first.rank() || u.alpha() != first.alpha()) {
                throw new IllegalArgumentException("mix: factors average only LoRAs of one rank and alpha, but '" + module + "' has " + first.rank() + " and " + first.alpha() + " in " + one.name()
                        + ", " + u.rank() + " and " + u.alpha() + " in " + part.name());
            }
            add(a, u.a(), part.weight());
            add(b, u.b(), part.weight());
        }
        return new Update(first.rank(), first.in(), first.out(), a, b, first.alpha(), first.kernel());
    }

    private static void add(float[] sum, float[] values, double weight) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += (float) (weight * values[i]);
        }
    }

    /// The nearest LoRA whose modules have at most this rank: the largest singular values of each `B·A`. Their roots go to both factors; alpha is the rank.
    ///
    /// @throws IllegalArgumentException unless the rank is 1 or more
    public static Truncated truncate(SequencedMap<String, Update> updates, int rank) {
        if (rank < 1) {
            throw new IllegalArgumentException("mix: the rank must be 1 or more, got " + rank);
        }
        SequencedMap<String, Update> all = new LinkedHashMap<>();
        double kept = 0;
        double total = 0;
        for (Map.Entry<String, Update> e : updates.entrySet()) {
            Update u = e.getValue();
            LowRank.Decomposition d = LowRank.decompose(columns(u), rows(u));
            int left = Math.max(1, Math.min(rank, d.values().length));
            for (int i = 0; i < d.values().length; i++) {
                double squared = d.values()[i] * d.values()[i];
                total += squared;
                kept += i < left ? squared : 0;
            }
            all.put(e.getKey(), u.rank() <= rank ? u : composed(u, d, left));
        }
        return new Truncated(all, total == 0 ? 1 : kept / total);
    }

    /// Columns of `(alpha/rank)·B`.
    private static double[][] columns(Update u) {
        double[][] columns = new double[u.rank()][u.out()];
        for (int row = 0; row < u.out(); row++) {
            for (int r = 0; r < u.rank(); r++) {
                columns[r][row] = u.alpha() / u.rank() * u.b()[row * u.rank() + r];
            }
        }
        return columns;
    }

    private static double[][] rows(Update u) {
        int depth = u.a().length / u.rank();
        List<double[]> rows = new ArrayList<>();
        for (int r = 0; r < u.rank(); r++) {
            double[] row = new double[depth];
            for (int i = 0; i < depth; i++) {
                row[i] = u.a()[r * depth + i];
            }
            rows.add(row);
        }
        return rows.toArray(double[][]::new);
    }

    private static Update composed(Update u, LowRank.Decomposition d, int rank) {
        int depth = u.a().length / u.rank();
        float[] a = new float[rank * depth];
        float[] b = new float[u.out() * rank];
        for (int r = 0; r < Math.min(rank, d.values().length); r++) {
            double root = Math.sqrt(d.values()[r]);
            for (int i = 0; i < depth; i++) {
                a[r * depth + i] = (float) (root * d.right()[r][i]);
            }
            for (int row = 0; row < u.out(); row++) {
                b[row * rank + r] = (float) (root * d.left()[r][row]);
            }
        }
        return new Update(rank, u.in(), u.out(), a, b, rank, u.kernel());
    }
}
