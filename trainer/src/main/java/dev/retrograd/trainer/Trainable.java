package dev.retrograd.trainer;

import java.util.Locale;

/// Which weights a run trains.
public enum Trainable {
    /// Low-rank updates beside frozen weights.
    LORA,
    /// All weights of the UNet, in float32.
    FULL;

    @Override public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
