package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.NoDeviceException;
import dev.retrograd.core.Precision;
import dev.retrograd.cuda.CudaDriver.Device;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.Optional;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/// Hosts that cannot run this backend are told why, in one sentence.
class RequirementsTest {
    private static final long GIB = 1L << 30;

    private static Device device(int computeCapability) {
        return new Device(0, "NVIDIA Thing", 12060, computeCapability, 24 * GIB, 46, 99 << 10);
    }

    private static void refused(String message, Runnable check) {
        assertEquals(message, assertThrows(NoDeviceException.class, check::run).getMessage());
    }

    @Test void anOldDriverIsNamedWithTheVersionThatIsNeeded() {
        refused("cuda: the NVIDIA driver must be for CUDA 11.4 or newer (version 470.42), got one for CUDA 10.2", () -> Requirements.driver(10020));
        refused("cuda: the NVIDIA driver must be for CUDA 11.4 or newer (version 470.42), got one for CUDA 11.3", () -> Requirements.driver(11030));
        assertDoesNotThrow(() -> Requirements.driver(11040));
        assertDoesNotThrow(() -> Requirements.driver(13000));
    }

    @Test void anOldDeviceIsNamedWithTheCapabilityThatIsNeeded() {
        refused("cuda: compute capability must be 8.0 or more (Ampere), got 7.5 of NVIDIA Thing", () -> Requirements.device(device(75)));
        assertDoesNotThrow(() -> Requirements.device(device(80)));
        assertDoesNotThrow(() -> Requirements.device(device(120)));
    }

    @Test void tooLittleMemoryIsNamedWithWhatIsThere() {
        refused("cuda: 1.0 GiB of free memory is the least, got 0.5 GiB free of 24.0 GiB of NVIDIA Thing", () -> Requirements.memory(device(80), GIB / 2));
        assertDoesNotThrow(() -> Requirements.memory(device(80), GIB));
    }

    @Test void aDeviceThatCannotBeUsedIsLeftClosed() {
        EmulatedDriver small = new EmulatedDriver(64 << 20);
        refused("cuda: 1.0 GiB of free memory is the least, got 0.1 GiB free of 0.1 GiB of PTX emulator", () -> CudaProvider.open(small, BackendOptions.of(Assertions::fail)));
        assertEquals(0, small.allocations());
        try (Backend b = CudaProvider.open(new EmulatedDriver(2 * GIB), BackendOptions.of(Assertions::fail).with(Optional.of(Precision.TF32)))) {
            assertEquals("cuda:0", b.name());
            assertEquals(Precision.TF32, b.precision());
        }
    }

    @Test void aDeviceThatTheHostLacksIsNamedWithThoseThatItHas() {
        refused("cuda: this host has cuda:0 only, got cuda:7", () -> Requirements.present("cuda", 7, 1));
        refused("cuda: this host has cuda:0 to cuda:3, got cuda:4", () -> Requirements.present("cuda", 4, 4));
        assertDoesNotThrow(() -> Requirements.present("cuda", 3, 4));
    }

    @Test void whateverThePrecisionADeviceBelowTheLeastCapabilityIsLeftClosed() {
        for (Precision p : Precision.values()) {
            EmulatedDriver turing = new EmulatedDriver(2 * GIB, 75);
            refused("cuda: compute capability must be 8.0 or more (Ampere), got 7.5 of PTX emulator", () -> CudaProvider.open(turing, BackendOptions.of(Assertions::fail).with(Optional.of(p))));
            assertEquals(0, turing.allocations());
        }
    }

    @Test void aDeviceIsDescribedInALine() {
        assertEquals("NVIDIA Thing, compute capability 8.6, 24.0 GiB, driver for CUDA 12.6", Requirements.describe(device(86)));
    }
}
