package dev.retrograd.trainer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.retrograd.trainer.image.LineChart;
import java.util.List;

/// The reward of a run over its updates, as a picture: of the images that updates were made from, and of the fixed ones of its evaluations.
final class RewardChart {
    private static final String UPDATES = "#9ecae1";
    private static final String TRAINING = "#1f77b4";
    private static final String HELD_OUT = "#d95f02";

    /// What the chart needs of a {@link Metrics}' line.
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Update(int update, @JsonProperty("reward_mean") double rewardMean) {
    }

    private RewardChart() {
    }

    /// @param reward its name
    /// @param updates at least one of both lists has an element
    static String svg(String reward, List<Update> updates, List<RunDirectory.Evaluated> evaluations) {
        List<LineChart.Point> means = updates.stream().filter(m -> Double.isFinite(m.rewardMean())).map(m -> new LineChart.Point(m.update(), m.rewardMean())).toList();
        return new LineChart("update", "reward: " + reward, List.of(
                new LineChart.Series("images of each update", UPDATES, false, means),
                new LineChart.Series("fixed, training prompts", TRAINING, true, points(evaluations, RunDirectory.PromptKind.TRAINING)),
                new LineChart.Series("fixed, prompts never trained on", HELD_OUT, true, points(evaluations, RunDirectory.PromptKind.HELD_OUT)))).svg();
    }

    private static List<LineChart.Point> points(List<RunDirectory.Evaluated> evaluations, RunDirectory.PromptKind kind) {
        return evaluations.stream().filter(e -> e.prompts() == kind).map(e -> new LineChart.Point(e.update(), e.rewardMean())).toList();
    }
}
