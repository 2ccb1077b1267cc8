package dev.retrograd.autograd.optim;

/// The learning rate as a pure function of the update's number. Parity: transformers and diffusers `get_scheduler`.
///
/// All begin with a linear warm-up, `rate·update/warmup` for the updates before `warmup`: with one, update 0 has rate 0, as upstream.
public sealed interface LearningRateSchedule {

    /// The peak rate.
    double rate();

    /// Number of warm-up updates; 0 for none.
    int warmup();

    /// What the rate is multiplied by once the warm-up is over.
    ///
    /// @param update `warmup` or more
    double factorAfterWarmup(int update);

    /// The learning rate of an update.
    ///
    /// @param update counted from 0
    /// @throws IllegalArgumentException if it is negative
    default double at(int update) {
        if (update < 0) {
            throw new IllegalArgumentException("learning rate: updates count from 0, got " + update);
        }
        return rate() * (update < warmup() ? (double) update / warmup() : factorAfterWarmup(update));
    }

    /// `rate` throughout. Parity: `constant`, `constant_with_warmup`.
    record Constant(double rate, int warmup) implements LearningRateSchedule {
        public Constant {
            requireRate(rate);
            requireWarmup(warmup);
        }

        @Override public double factorAfterWarmup(int update) {
            return 1;
        }
    }

    /// Falls in a straight line to 0 at `updates`. Parity: `linear`.
    ///
    /// @param updates total number, warm-up included
    record Linear(double rate, int warmup, int updates) implements LearningRateSchedule {
        public Linear {
            requireRate(rate);
            requireWarmup(warmup);
            requireUpdates(warmup, updates);
        }

        @Override public double factorAfterWarmup(int update) {
            return 1 - progress(update, warmup, updates);
        }
    }

    /// Half a cosine, `(1 + cos π·progress)/2`, to 0 at `updates`, and 0 from there on. Parity: `cosine`, whose rate would rise again beyond the end.
    ///
    /// @param updates total number, warm-up included
    record Cosine(double rate, int warmup, int updates) implements LearningRateSchedule {
        public Cosine {
            requireRate(rate);
            requireWarmup(warmup);
            requireUpdates(warmup, updates);
        }

        @Override public double factorAfterWarmup(int update) {
            return (1 + Math.cos(Math.PI * progress(update, warmup, updates))) / 2;
        }
    }

    /// From 0 after the warm-up to 1 at the end.
    private static double progress(int update, int warmup, int updates) {
        return Math.min(1, (double) (update - warmup) / Math.max(1, updates - warmup));
    }

    private static void requireRate(double rate) {
        if (!(rate >= 0 && Double.isFinite(rate))) {
            throw new IllegalArgumentException("learning rate: must be 0 or more, got " + rate);
        }
    }

    private static void requireWarmup(int warmup) {
        if (warmup < 0) {
            throw new IllegalArgumentException("learning rate: warm-up must be 0 updates or more, got " + warmup);
        }
    }

    private static void requireUpdates(int warmup, int updates) {
        if (updates < 1 || warmup > updates) {
            throw new IllegalArgumentException("learning rate: updates must be 1 or more and not fewer than the warm-up's " + warmup + ", got " + updates);
        }
    }
}
