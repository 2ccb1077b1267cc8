package dev.retrograd.cuda;

import dev.retrograd.cuda.emulator.EmulatedDriver;

/// The same of compute capability 9.0: `--device hopper`.
public final class EmulatedHopperProvider extends EmulatedProvider {
    @Override public String kind() {
        return "hopper";
    }

    @Override EmulatedDriver driver() {
        return EmulatedDriver.hopper(DEVICE_BYTES);
    }
}
