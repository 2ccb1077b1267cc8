package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.SettingException;
import java.io.PrintWriter;
import java.util.Locale;
import picocli.CommandLine.Option;

/// What computes.
final class DeviceOptions {
    @Option(names = "--device", paramLabel = "DEVICE", defaultValue = Devices.AUTO,
            description = "auto (an NVIDIA GPU if one can be used, else the CPU), cpu, cuda or cuda:N; default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads; default: one per core. The result does not depend on it.")
    private Integer threads;

    private String opened = "none";

    /// Opens the device, and says which it is in one line.
    ///
    /// @throws SettingException if no device can be called that
    /// @throws dev.retrograd.core.NoDeviceException if it was named and cannot be used
    Backend open(PrintWriter out) {
        CpuBackend.Options options = CpuBackend.Options.defaults();
        CpuBackend.Options cpu = threads == null ? options : SettingException.named("--threads", () -> options.withThreads(threads));
        Devices.Choice choice = new Devices().open(device.toLowerCase(Locale.ROOT), cpu);
        out.println("device " + choice.device() + choice.reasons());
        out.flush();
        opened = choice.device();
        return choice.backend();
    }

    /// Whether a GPU is meant, be there one or not: `auto` means the CPU here.
    boolean namesGpu() {
        return device.toLowerCase(Locale.ROOT).startsWith("cuda");
    }

    /// Opens the CPU, whatever is asked for.
    CpuBackend cpu() {
        CpuBackend.Options options = CpuBackend.Options.defaults();
        return new CpuBackend(threads == null ? options : SettingException.named("--threads", () -> options.withThreads(threads)));
    }

    /// The device that was opened.
    String opened() {
        return opened;
    }
}
