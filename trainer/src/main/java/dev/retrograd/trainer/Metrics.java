package dev.retrograd.trainer;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.retrograd.core.GraphUse;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SequencedMap;

/// What one update is remembered by: a line of `metrics.jsonl`.
///
/// @param update counted from 1
/// @param k denoising steps that kept their gradient
/// @param loss mean over the update's images
/// @param rewardStd population standard deviation over the update's images
/// @param gradNorm global norm before clipping
/// @param seconds of wall-clock time
/// @param peakBytes most tensor bytes live at once on the device
/// @param plannedPeakBytes what the plan said of them before the update ran; a run without a plan has no such key
/// @param reservedBytes what the device holds for tensors after the update: live ones, the block that an update's lie in, what is cached
/// @param unplannedAllocations tensors on all devices that came otherwise than planned, and lie beside their block; written only if there are any
/// @param graphs what the device holds of graphs of launches after the update; written only if there are any
/// @param skipped whether loss or gradient was not finite and the weights were left as they are; written only if so
/// @param details further numbers of the method's own, each a key of the line
/// @param tracked means over the update's images of what was measured beside the reward, as `track/NAME`
public record Metrics(int update, int k, double loss, @JsonProperty("reward_mean") double rewardMean, @JsonProperty("reward_std") double rewardStd,
        @JsonProperty("grad_norm") double gradNorm, @JsonProperty("learning_rate") double learningRate, double seconds,
        @JsonProperty("peak_bytes") long peakBytes, @JsonIgnore OptionalLong plannedPeakBytes, @JsonIgnore long reservedBytes, @JsonIgnore long unplannedAllocations, @JsonIgnore GraphUse graphs,
        @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean skipped,
        @JsonIgnore SequencedMap<String, Double> details,
        @JsonIgnore SequencedMap<String, Double> tracked) {

    /// Begins the key of what is measured beside the reward.
    static final String TRACK = "track/";

    @JsonAnyGetter Map<String, Number> further() {
        Map<String, Number> all = new LinkedHashMap<>();
        plannedPeakBytes.ifPresent(bytes -> all.put("planned_peak_bytes", bytes));
        all.put("reserved_bytes", reservedBytes);
        if (unplannedAllocations > 0) {
            all.put("unplanned_allocations", unplannedAllocations);
        }
        if (graphs.launches() > 0) {
            all.put("graph_launches", graphs.launches());
            all.put("graph_bytes", graphs.bytes());
        }
        all.putAll(details);
        tracked.forEach((name, mean) -> all.put(TRACK + name, mean));
        return all;
    }
}
