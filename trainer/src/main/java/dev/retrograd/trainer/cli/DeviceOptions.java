package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Attention;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.BackendOptions.Tiles;
import dev.retrograd.core.NoDeviceException;
import dev.retrograd.core.Precision;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.SettingException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/// What computes, and in what precision.
final class DeviceOptions {
    @Option(names = "--device", paramLabel = "DEVICE", defaultValue = Devices.AUTO,
            description = "auto (an NVIDIA GPU if one can be used, else the CPU), cpu, cuda or cuda:N; for train also several: cuda:0,1, cuda:all or cpu,cpu; default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(names = "--precision", paramLabel = "TYPE", defaultValue = Devices.AUTO,
            description = "What the device computes in, with sums in float32: bf16 or fp16 (activations and frozen matrices of 16 bits), tf32 (rounded operands), f32, or auto: "
                    + "bf16 on a GPU, f32 on the CPU, which knows no other, and f32 for verify and pretrain; default: ${DEFAULT-VALUE}.")
    private String precision;

    @Option(names = "--cuda-graphs", paramLabel = "on|off", defaultValue = "on",
            description = "Whether a GPU is sent many launches that it had before at a time, for less time between kernels; the result is the same; default: ${DEFAULT-VALUE}.")
    private Switch graphs;

    @Option(names = "--gemm", paramLabel = "WHAT", defaultValue = "ptx",
            description = "What multiplies matrices on a GPU: ptx (the program's own kernels), hopper (with kernels for compute capability 9.0, which no GPU has run yet), cublas (NVIDIA's library for the products that it can do; the host must have it), or auto (the fastest of these at each shape that agrees with ptx, measured once and kept with the run); default: ${DEFAULT-VALUE}.")
    private Products gemm;

    @Option(names = "--conv", paramLabel = "WHAT", defaultValue = "ptx",
            description = "What convolves on a GPU: ptx (the program's own kernels), hopper (with kernels for compute capability 9.0, which no GPU has run yet), cudnn (NVIDIA's library for the convolutions that it can do; the host must have it), or auto (the fastest of these at each shape that agrees with ptx, measured once and kept with the run); default: ${DEFAULT-VALUE}.")
    private Convolutions conv;

    @Option(names = "--attention", paramLabel = "WHAT", defaultValue = "ptx",
            description = "What does attention on a GPU: ptx (the program's own kernels), hopper (in 16 bits and without padding, with kernels for compute capability 9.0, which no GPU has run yet), or auto (the faster of these at each shape if they agree, measured once and kept with the run); default: ${DEFAULT-VALUE}.")
    private Attention attention;

    @Option(names = "--tiles", paramLabel = "WHAT", defaultValue = "auto",
            description = "By which speeds a GPU's kernels choose their tiles: table (of known architectures), measured (once, kept with the run and in the user's cache), or auto: measured where the table lacks the architecture; default: ${DEFAULT-VALUE}.")
    private Tiles tiles;

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads; default: one per core. The result does not depend on it.")
    private Integer threads;

    private String opened = "none";
    private Optional<Path> choices = Optional.empty();

    /// Values of a setting that the command line and files name alike.
    enum Switch { ON, OFF }

    /// Opens the device, and says which it is and what it computes in, in one line.
    ///
    /// @throws SettingException if no device can be called that, or it does not compute in that
    /// @throws dev.retrograd.core.NoDeviceException if it was named and cannot be used
    Backend open(PrintWriter out) {
        return open(out, precision());
    }

    /// The same for a command that computes in float32 unless something else is asked for.
    Backend openInFloat32(PrintWriter out) {
        return open(out, Optional.of(precision().orElse(Precision.F32)));
    }

    private Backend open(PrintWriter out, Optional<Precision> wanted) {
        List<String> all = new Devices().split(named());
        SettingException.require(all.size() == 1, "--device", "one device for this command", "'" + device + "'");
        return open(out, wanted, all, 0);
    }

    /// Opens one of several devices; says which they are, and what they compute in, in one line if it is the first.
    ///
    /// @param all as {@link #several} names them
    Backend open(PrintWriter out, List<String> all, int which) {
        return open(out, precision(), all, which);
    }

    private Backend open(PrintWriter out, Optional<Precision> wanted, List<String> all, int which) {
        Devices.Choice choice = new Devices().open(all.get(which), options(out, wanted), cpuOptions(all.size()));
        if (which == 0) {
            opened = choice.device() + all.stream().skip(1).map(d -> ", " + d).collect(Collectors.joining()) + ", " + choice.backend().precision();
            out.println("device " + opened + choice.reasons() + (choice.backend() instanceof CpuBackend ? unread() : ""));
            out.flush();
        }
        return choice.backend();
    }

    /// Names options that were set to something else than their default and mean nothing to the CPU; empty for none.
    private String unread() {
        record Asked(String option, boolean is) {
        }
        String given = Stream.of(new Asked("--cuda-graphs", graphs == Switch.OFF), new Asked("--gemm", gemm != Products.PTX), new Asked("--conv", conv != Convolutions.PTX),
                new Asked("--attention", attention != Attention.PTX), new Asked("--tiles", tiles == Tiles.MEASURED)).filter(Asked::is).map(Asked::option).collect(Collectors.joining(", "));
        return given.isEmpty() ? "" : "; only a GPU reads " + given;
    }

    /// Has devices that are opened from now on keep what they choose by timing in a run's file, and follow what it has.
    void keepChoices(Path file) {
        choices = Optional.of(file);
    }

    /// Sees to it that devices which share a run all choose alike: by no timing of their own.
    ///
    /// @throws SettingException if that was asked for
    void checkShared(boolean shared) {
        SettingException.require(!shared || gemm != Products.AUTO, "--gemm", "ptx, hopper or cublas on several devices, which must all choose alike", "auto");
        SettingException.require(!shared || conv != Convolutions.AUTO, "--conv", "ptx, hopper or cudnn on several devices, which must all choose alike", "auto");
        SettingException.require(!shared || attention != Attention.AUTO, "--attention", "ptx or hopper on several devices, which must all choose alike", "auto");
        SettingException.require(!shared || tiles != Tiles.MEASURED, "--tiles", "auto or table on several devices, which must all choose alike", "measured");
        tiles = shared ? Tiles.TABLE : tiles;
    }

    /// The folder for caches by the XDG base directory specification.
    private static Path cache() {
        String set = System.getenv("XDG_CACHE_HOME");
        Path caches = set == null || set.isEmpty() || !Path.of(set).isAbsolute() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(set);
        return caches.resolve("retrograd");
    }

    private BackendOptions options(PrintWriter out, Optional<Precision> wanted) {
        return BackendOptions.of(notice -> {
            out.println(notice);
            out.flush();
        }).with(wanted).with(gemm).with(conv).with(attention).with(tiles).withGraphs(graphs == Switch.ON).keeping(choices, Optional.of(cache()));
    }

    /// The devices that are asked for, of one type: what is computed must not depend on which one does.
    ///
    /// @throws SettingException if no device can be called that, or they differ
    /// @throws dev.retrograd.core.NoDeviceException if there are several and one cannot be used
    List<String> several() {
        Devices devices = new Devices();
        try {
            List<String> all = devices.split(named());
            devices.requireOneType(all);
            return all;
        } catch (NoDeviceException e) {
            throw new NoDeviceException(e.getMessage() + "; use --device cpu", e);
        }
    }

    private String named() {
        return device.toLowerCase(Locale.ROOT);
    }

    /// What was asked for; empty for `auto`.
    ///
    /// @throws SettingException if it is none
    Optional<Precision> precision() {
        String name = precision.toLowerCase(Locale.ROOT);
        if (name.equals(Devices.AUTO)) {
            return Optional.empty();
        }
        String known = Arrays.stream(Precision.values()).map(Precision::toString).collect(Collectors.joining(", "));
        return Optional.of(Arrays.stream(Precision.values()).filter(p -> p.toString().equals(name)).findFirst()
                .orElseThrow(() -> new SettingException("--precision: must be auto, " + known + ", got '" + precision + "'")));
    }

    /// What a device need not be at hand to be planned for.
    ///
    /// @param device `cpu`, or a kind of device
    /// @param graphs whether launches are submitted as CUDA graphs
    record Planned(String device, Precision precision, boolean graphs) {
        boolean cpu() {
            return device.equals(Devices.CPU);
        }
    }

    /// The device that is meant, be there one or not: `auto` means the CPU here.
    ///
    /// @throws SettingException if no device can be called that, or it does not compute in what was asked for
    Planned planned() {
        // What one of several takes, each of them takes.
        String name = named().replaceFirst("(,|:all).*", "");
        return new Devices().planned(name.equals(Devices.AUTO) ? Devices.CPU : name, precision(), graphs == Switch.ON);
    }

    /// Opens the CPU, whatever is asked for.
    CpuBackend cpu() {
        return new CpuBackend(cpuOptions(1));
    }

    /// @param sharing CPUs that share the threads
    private CpuBackend.Options cpuOptions(int sharing) {
        CpuBackend.Options options = CpuBackend.Options.defaults();
        CpuBackend.Options all = threads == null ? options : SettingException.named("--threads", () -> options.withThreads(threads));
        return all.withThreads(Math.max(1, all.threads() / sharing));
    }

    /// The device that was opened, and what it computes in.
    String opened() {
        return opened;
    }
}
