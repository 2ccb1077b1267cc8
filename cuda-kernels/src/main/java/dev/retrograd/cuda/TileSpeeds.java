package dev.retrograd.cuda;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/// What share of a multiprocessor's speed tiles reach, by which {@link Tile} chooses among them: of the architectures that are known, from a table; of
/// others, measured on the device.
///
/// The table's figures are estimates: a tile of r × c results takes r·c multiply-adds and r + c operands for each step of its sums, so it reaches its speed
/// where tensor cores take longer for the former than the second-level cache for the latter, by the rates that NVIDIA publishes of each architecture (dense
/// bf16 with float32 sums, 64 bytes a clock and multiprocessor), less what a short main loop loses. They decide how fast a product is, and how long sums are
/// split, never whether it is right.
record TileSpeeds(Map<Tile, Double> of) {
    /// Measured figures are rounded to it, so that they seldom differ between two measurements.
    private static final double STEP = 0.05;

    /// 2048 operations a clock and multiprocessor: of equal blocks on a multiprocessor larger ones win.
    private static final TileSpeeds AMPERE = speeds(1, 0.9, 0.75, 0.5);
    /// 512 and 1024: tensor cores are slower beside the memory, and small tiles lose less.
    private static final TileSpeeds CONSUMER = speeds(1, 0.95, 0.85, 0.65);
    /// 4096: small tiles wait for operands.
    private static final TileSpeeds HOPPER = speeds(1, 0.75, 0.55, 0.35);

    private static final Map<Integer, TileSpeeds> TABLE = Map.of(80, AMPERE, 86, CONSUMER, 87, CONSUMER, 89, CONSUMER, 90, HOPPER, 100, HOPPER, 103, HOPPER, 120, CONSUMER, 121, CONSUMER);

    /// In the order of the tiles.
    static TileSpeeds speeds(double... values) {
        Map<Tile, Double> all = new EnumMap<>(Tile.class);
        for (Tile t : Tile.values()) {
            all.put(t, values[t.ordinal()]);
        }
        return new TileSpeeds(all);
    }

    /// Of an architecture that the table has.
    static Optional<TileSpeeds> known(int computeCapability) {
        return Optional.ofNullable(TABLE.get(computeCapability));
    }

    /// The same; of another one, those of the architecture that the kernels are compiled for.
    static TileSpeeds table(int computeCapability) {
        return known(computeCapability).orElse(AMPERE);
    }

    /// @param results for each tile, how many results of equally long sums a second it computes
    static TileSpeeds measured(ToDoubleFunction<Tile> results) {
        double[] values = new double[Tile.values().length];
        double most = 0;
        for (Tile t : Tile.values()) {
            values[t.ordinal()] = results.applyAsDouble(t);
            most = Math.max(most, values[t.ordinal()]);
        }
        for (int i = 0; i < values.length; i++) {
            values[i] = Math.max(STEP, Math.round(values[i] / most / STEP) * STEP);
        }
        return speeds(values);
    }

    /// Reads what {@link #toString} wrote.
    static Optional<TileSpeeds> parse(String text) {
        String[] parts = text.split(" ");
        if (parts.length != Tile.values().length) {
            return Optional.empty();
        }
        double[] values = new double[parts.length];
        for (int i = 0; i < parts.length; i++) {
            if (!parts[i].matches("[01]\\.\\d\\d")) {
                return Optional.empty();
            }
            values[i] = Double.parseDouble(parts[i]);
            if (values[i] < STEP || values[i] > 1) {
                return Optional.empty();
            }
        }
        return Optional.of(speeds(values));
    }

    double of(Tile tile) {
        return of.get(tile);
    }

    @Override public String toString() {
        return of.values().stream().map(v -> String.format(Locale.ROOT, "%.2f", v)).collect(Collectors.joining(" "));
    }
}
