package dev.retrograd.unet;

import dev.retrograd.autograd.nn.Adaptable;
import java.util.List;
import java.util.stream.Stream;

/// Which layers get a low-rank update, and how large it is.
///
/// @param rank r
/// @param alpha α: the update is scaled by α/r
/// @param targets names or suffixes of modules, e.g. `to_q`, `ff.net.2`, as peft's `target_modules`; `all-linear` for every linear layer, `conv`
///     for every convolution (SD 1.x has its transformers' projections as 1×1 ones), `attention` for the usual four
public record LoraConfig(int rank, double alpha, List<String> targets) {
    /// The attention projections: 797,184 parameters of SD1.5 at rank 4, the paper's "800 K".
    public static final List<String> ATTENTION = List.of("to_k", "to_q", "to_v", "to_out.0");

    /// Target that stands for {@link #ATTENTION}.
    private static final String USUAL = "attention";
    private static final String ALL_LINEAR = "all-linear";
    private static final String CONVOLUTIONS = "conv";

    public LoraConfig {
        targets = targets.stream().flatMap(t -> t.equals(USUAL) ? ATTENTION.stream() : Stream.of(t)).distinct().toList();
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

    /// Whether a module is among the named targets, as peft matches: the whole name or its end from a dot on.
    public boolean matches(String module) {
        return targets.stream().anyMatch(t -> matches(t, module));
    }

    /// Whether a layer gets an update.
    boolean matches(Adaptable layer) {
        return targets.stream().anyMatch(t -> matches(t, layer));
    }

    /// Whether a target means a layer.
    static boolean matches(String target, Adaptable layer) {
        return switch (target) {
            case ALL_LINEAR -> layer.kernel() == 0;
            case CONVOLUTIONS -> layer.kernel() > 0;
            default -> matches(target, layer.name());
        };
    }

    private static boolean matches(String target, String module) {
        return module.equals(target) || module.endsWith("." + target);
    }
}
