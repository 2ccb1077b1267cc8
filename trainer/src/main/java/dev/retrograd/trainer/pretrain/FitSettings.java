package dev.retrograd.trainer.pretrain;

/// How a stage's weights are fitted: AdamW with gradient clipping, a learning rate that falls with a cosine, and averaged weights.
///
/// @param steps updates in all
/// @param batch examples per update
/// @param rate peak learning rate, after `warmup` updates
/// @param averaging decay of the moving average of weights, which is what a stage delivers
record FitSettings(int steps, int batch, double rate, int warmup, double averaging) {
    static final double BETA1 = 0.9;
    static final double BETA2 = 0.99;
    static final double EPS = 1e-8;
    static final double WEIGHT_DECAY = 0.01;
    static final double MAX_NORM = 1;

    /// @throws IllegalArgumentException if there are no steps or no examples
    public FitSettings {
        if (steps < 1 || batch < 1) {
            throw new IllegalArgumentException("fit: steps and batch must be 1 or more, got " + steps + " and " + batch);
        }
    }

    /// The same with another number of updates; the warm-up fits into it.
    public FitSettings withSteps(int count) {
        return new FitSettings(count, batch, rate, Math.min(warmup, count / 4), averaging);
    }

    /// The same with another number of examples per update.
    public FitSettings withBatch(int count) {
        return new FitSettings(steps, count, rate, warmup, averaging);
    }
}
