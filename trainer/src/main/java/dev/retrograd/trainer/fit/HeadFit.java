package dev.retrograd.trainer.fit;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.clip.FeatureHead;
import dev.retrograd.rewards.clip.HeadWeights;
import dev.retrograd.trainer.SettingException;
import java.util.Arrays;
import java.util.List;

/// Fits a head to scores by least squares: mini-batches, AdamW with a rate that falls with a cosine, features and scores standardised.
///
/// A pure function of the table and the settings. Some images are held out: the head never sees them, and they say how well it does.
public final class HeadFit {
    private static final int FEWEST_IMAGES = 8;
    private static final int WIDEST = 1 << 14;
    private static final double MAX_NORM = 1;
    private static final double WARMUP = 0.05;

    private final Backend backend;
    private final Settings settings;

    /// How a head is fitted.
    ///
    /// @param hidden outputs of each linear layer but the last; none for a linear function of the features
    /// @param heldOut share of the images that only measure, above 0 and below 1
    /// @param seed of the fresh weights, of what is held out and of the order of the rest
    public record Settings(List<Integer> hidden, HeadWeights.Activation activation, int updates, int batchSize, double learningRate, double weightDecay, double heldOut, long seed) {
        /// @throws SettingException naming the setting, what is allowed and what came
        public Settings {
            hidden = List.copyOf(hidden);
            SettingException.require(hidden.stream().allMatch(n -> n >= 1 && n <= WIDEST), "--hidden", "widths of 1.." + WIDEST, hidden);
            SettingException.require(updates >= 1, "--updates", "1 or more", updates);
            SettingException.require(batchSize >= 1, "--batch-size", "1 or more", batchSize);
            SettingException.require(learningRate > 0 && Double.isFinite(learningRate), "--learning-rate", "above 0", learningRate);
            SettingException.require(weightDecay >= 0 && Double.isFinite(weightDecay), "--weight-decay", "0 or more", weightDecay);
            SettingException.require(heldOut > 0 && heldOut < 1, "--held-out", "a share above 0 and below 1", heldOut);
        }
    }

    /// What came of a fit.
    ///
    /// @param head of plain features of unit length
    public record Result(HeadWeights head, Agreement fitted, Agreement heldOut) {
    }

    /// Is told how far a fit is.
    @FunctionalInterface public interface Progress {

        /// @param update counted from 1
        /// @param loss mean squared error of the batch, in units of the scores' variance
        void updated(int update, double loss);
    }

    public HeadFit(Backend backend, Settings settings) {
        this.backend = backend;
        this.settings = settings;
    }

    /// Fits a head.
    ///
    /// @param name what the reward is to be called
    /// @throws IllegalArgumentException if there are fewer than 8 images, or the scores are all the same
    public Result fit(String name, FeatureTable table, Progress progress) {
        if (table.size() < FEWEST_IMAGES) {
            throw new IllegalArgumentException("fit-reward: at least " + FEWEST_IMAGES + " images are required, got " + table.size());
        }
        int[] order = RandomStream.keyed(settings.seed(), 0).randperm(table.size());
        int out = Math.clamp(Math.round(settings.heldOut() * table.size()), 2, table.size() - 2);
        FeatureTable heldOut = table.rows(Arrays.copyOf(order, out));
        FeatureTable fitted = table.rows(Arrays.copyOfRange(order, out, order.length));
        Standardisation standard = Standardisation.of(fitted);
        HeadWeights start = HeadWeights.random(name, settings.activation(), table.width(), settings.hidden(), RandomStream.keyed(settings.seed(), 1));
        try (FeatureHead head = FeatureHead.trainable(backend, start)) {
            run(head, standard.apply(fitted), progress);
            HeadWeights done = standard.undo(head.weights());
            return new Result(done, agreement(done, fitted), agreement(done, heldOut));
        }
    }

    private void run(FeatureHead head, FeatureTable table, Progress progress) {
        LearningRateSchedule rate = new LearningRateSchedule.Cosine(settings.learningRate(), (int) (WARMUP * settings.updates()), settings.updates());
        GradientClip clip = new GradientClip(MAX_NORM);
        AdamW.Hyperparameters usual = AdamW.Hyperparameters.DEFAULT;
        AdamW.Hyperparameters how = new AdamW.Hyperparameters(usual.beta1(), usual.beta2(), usual.eps(), settings.weightDecay());
        int batch = Math.min(settings.batchSize(), table.size());
        int perEpoch = table.size() / batch;
        int[] order = {};
        try (AdamW optimizer = new AdamW(backend, head.parameters(), how)) {
            for (int update = 0; update < settings.updates(); update++) {
                int at = update % perEpoch;
                if (at == 0) {
                    order = RandomStream.keyed(settings.seed(), 2, update / perEpoch).randperm(table.size());
                }
                FeatureTable rows = table.rows(Arrays.copyOfRange(order, at * batch, (at + 1) * batch));
                try (Scope _ = backend.memory().open("update"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
                    Var loss = rows.squaredError(t, head);
                    double value = backend.toFloats(loss.value())[0];
                    if (!Double.isFinite(value)) {
                        throw new IllegalStateException("fit-reward: the loss must be finite, got " + value + " in update " + (update + 1) + "; try a smaller --learning-rate");
                    }
                    t.backward(loss, gradients);
                    // Counted from 1, so that the first update moves.
                    optimizer.step(gradients, rate.at(Math.min(update + 1, settings.updates())), clip.apply(backend, gradients, head.parameters()).factor(), AdamW.Missing.REFUSE);
                    progress.updated(update + 1, value);
                }
            }
        }
    }

    private Agreement agreement(HeadWeights weights, FeatureTable table) {
        try (FeatureHead head = FeatureHead.frozen(backend, weights)) {
            return Agreement.of(table.scores(), table.estimates(backend, head));
        }
    }
}
