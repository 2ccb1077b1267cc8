package dev.retrograd.core;

import java.util.Locale;

/// What a device computes in. Sums are float32 in all of them, and so is what {@link Backend} says is float32 beside any activations.
public enum Precision {
    /// Activations and frozen matrices of 16 bits with float32's range: tensor cores, half the memory.
    BF16(DType.BF16),
    /// Activations and frozen matrices of 16 bits with three more bits of mantissa, and nothing beyond 65504.
    FP16(DType.F16),
    /// Float32 in memory; tensor cores multiply operands rounded to 11 bits of mantissa.
    TF32(DType.F32),
    /// Float32 throughout, on fused multiply-adds.
    F32(DType.F32);

    private final DType activations;

    Precision(DType activations) {
        this.activations = activations;
    }

    /// The type of activations and frozen matrices.
    public DType activations() {
        return activations;
    }

    /// As `--precision` calls it: `bf16`, `fp16`, `tf32`, `f32`.
    @Override public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
