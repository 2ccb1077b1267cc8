package dev.retrograd.unet;

import java.util.List;

/// Which linear layers get a low-rank update, and how large it is.
///
/// @param rank r
/// @param alpha α: the update is scaled by α/r
/// @param targets names or suffixes of modules, e.g. `to_q`, `ff.net.2`, as peft's `target_modules`
public record LoraConfig(int rank, double alpha, List<String> targets) {
    /// The attention projections: 797,184 parameters of SD1.5 at rank 4, the paper's "800 K".
    public static final List<String> ATTENTION = List.of("to_k", "to_q", "to_v", "to_out.0");

    public LoraConfig {
        targets = List.copyOf(targets);
        if (rank < 1) {
            throw new IllegalArgumentException("lora rank: must be 1 or more, got " + rank);
        }
        if (!Double.isFinite(alpha) || alpha == 0) {
            throw new IllegalArgumentException("lora alpha: must be a finite number other than 0, got " + alpha);
        }
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("lora targets: must name at least one module, got none");
        }
    }

    public double scale() {
        return alpha / rank;
    }

    /// Whether a module is among the targets, as peft matches: the whole name or its end from a dot on.
    public boolean matches(String module) {
        return targets.stream().anyMatch(t -> module.equals(t) || module.endsWith("." + t));
    }
}
