package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.NoDeviceException;
import dev.retrograd.core.Precision;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.SettingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// What `--device` chooses among: the CPU, and the devices of every {@link BackendProvider} in the program.
final class Devices {
    static final String AUTO = "auto";
    static final String CPU = "cpu";
    private static final String ALL = ":all";
    private static final Pattern ORDINAL = Pattern.compile("\\d{1,3}");
    /// Kinds that `auto` prefers to the CPU.
    private static final List<String> PREFERRED = List.of("cuda");
    private static final List<Precision> OF_THE_CPU = List.of(Precision.F32);
    private static final Pattern NAME = Pattern.compile("([a-z]+)(?::(\\d{1,3}))?");

    private final List<BackendProvider> providers = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
            .sorted(Comparator.comparing(BackendProvider::kind)).toList();

    /// An open device.
    ///
    /// @param device which it is: `cuda:0 (NVIDIA …)`
    /// @param reasons why none is used that would have been preferred, each after `; `
    record Choice(Backend backend, String device, String reasons) {
    }

    /// The devices that a list names: `cuda:0,1`, `cuda:0,cuda:1`, `cuda:all`, `cpu,cpu`; a single one as it is.
    ///
    /// @throws SettingException if it is no such list, or names one twice that is not the CPU
    /// @throws NoDeviceException if all of a kind are meant and it cannot be used
    List<String> split(String devices) {
        if (!devices.contains(",") && !devices.endsWith(ALL)) {
            return List.of(devices);
        }
        List<String> all = new ArrayList<>();
        for (String part : devices.split(",", -1)) {
            if (part.endsWith(ALL)) {
                BackendProvider provider = provider(part.substring(0, part.length() - ALL.length())).orElseThrow(() -> unknown(devices));
                IntStream.range(0, provider.devices().size()).forEach(i -> all.add(provider.kind() + ":" + i));
            } else if (ORDINAL.matcher(part).matches() && !all.isEmpty() && all.getLast().contains(":")) {
                all.add(all.getLast().substring(0, all.getLast().indexOf(':') + 1) + part);
            } else if (part.equals(CPU) || part.contains(":") && NAME.matcher(part).matches()) {
                all.add(part);
            } else {
                throw unknown(devices);
            }
        }
        SettingException.require(all.stream().distinct().count() == all.size() || all.stream().allMatch(CPU::equals), "--device", "a list that names each device once", "'" + devices + "'");
        return all;
    }

    /// Refuses devices that differ.
    ///
    /// @param all as {@link #split} names them
    /// @throws SettingException if there are two types
    /// @throws NoDeviceException if one of several is not there
    void requireOneType(List<String> all) {
        if (all.size() > 1) {
            List<String> types = all.stream().map(this::type).distinct().toList();
            SettingException.require(types.size() == 1, "--device", "devices of one type, on which results depend", String.join(" and ", types));
        }
    }

    private String type(String device) {
        if (device.equals(CPU)) {
            return CPU;
        }
        Named named = named(device);
        List<String> there = named.provider().devices();
        if (named.ordinal() >= there.size()) {
            throw new NoDeviceException("--device: this host has " + there.size() + " devices of kind " + named.provider().kind() + ", numbered from 0, got " + device);
        }
        return there.get(named.ordinal());
    }

    /// Opens a device.
    ///
    /// @param device `auto`, `cpu`, or a provider's kind with or without `:ordinal`
    /// @param options how it is to compute
    /// @param cpu how the CPU computes if it is chosen
    /// @throws SettingException if no device can be called that, or it does not compute in what is asked for
    /// @throws NoDeviceException if it was named and cannot be used
    Choice open(String device, BackendOptions options, CpuBackend.Options cpu) {
        if (device.equals(AUTO)) {
            return automatic(options, cpu);
        }
        if (device.equals(CPU)) {
            return cpu(options.precision(), cpu, "");
        }
        Named named = named(device);
        check(named.provider().kind(), named.provider().precisions(), options.precision(), "");
        try {
            return open(named.provider(), named.ordinal(), options);
        } catch (NoDeviceException e) {
            throw new NoDeviceException(e.getMessage() + "; use --device cpu", e);
        }
    }

    /// Opens a device that is not the CPU.
    ///
    /// @throws SettingException if no device but the CPU can be called that
    /// @throws NoDeviceException if it cannot be used
    Choice openGpu(String device, BackendOptions options) {
        SettingException.require(!device.equals(AUTO) && !device.equals(CPU), "--device", "a GPU: cuda or cuda:N", device);
        Named named = named(device);
        try {
            return open(named.provider(), named.ordinal(), options);
        } catch (NoDeviceException e) {
            throw new NoDeviceException(e.getMessage() + "; this command needs a GPU", e);
        }
    }

    /// What a device would compute in, be it there or not.
    ///
    /// @param device `cpu`, or a provider's kind with or without `:ordinal`
    /// @throws SettingException likewise
    DeviceOptions.Planned planned(String device, Optional<Precision> precision, boolean graphs) {
        boolean onCpu = device.equals(CPU);
        String kind = onCpu ? CPU : named(device).provider().kind();
        List<Precision> precisions = onCpu ? OF_THE_CPU : named(device).provider().precisions();
        check(kind, precisions, precision, "");
        return new DeviceOptions.Planned(kind, precision.orElse(precisions.getFirst()), graphs && !onCpu);
    }

    private record Named(BackendProvider provider, int ordinal) {
    }

    private Named named(String device) {
        Matcher name = NAME.matcher(device);
        Optional<BackendProvider> provider = name.matches() ? provider(name.group(1)) : Optional.empty();
        if (provider.isEmpty()) {
            throw unknown(device);
        }
        return new Named(provider.get(), name.group(2) == null ? 0 : Integer.parseInt(name.group(2)));
    }

    private SettingException unknown(String device) {
        return new SettingException("--device: must be auto, cpu" + providers.stream().map(p -> ", " + p.kind() + ", " + p.kind() + ":N").collect(Collectors.joining()) + ", got '" + device + "'");
    }

    private Optional<BackendProvider> provider(String kind) {
        return providers.stream().filter(p -> p.kind().equals(kind)).findFirst();
    }

    private static void check(String device, List<Precision> known, Optional<Precision> wanted, String reasons) {
        wanted.ifPresent(w -> SettingException.require(known.contains(w), "--precision",
                "auto or " + known.stream().map(Precision::toString).collect(Collectors.joining(", ")) + " on the device " + device + reasons, w));
    }

    private Choice automatic(BackendOptions options, CpuBackend.Options cpu) {
        StringBuilder reasons = new StringBuilder();
        for (String kind : PREFERRED) {
            Optional<BackendProvider> provider = provider(kind);
            if (provider.isPresent()) {
                try {
                    return open(provider.get(), 0, options);
                } catch (NoDeviceException e) {
                    reasons.append("; ").append(e.getMessage());
                }
            }
        }
        return cpu(options.precision(), cpu, reasons.toString());
    }

    private static Choice cpu(Optional<Precision> precision, CpuBackend.Options cpu, String reasons) {
        check(CPU, OF_THE_CPU, precision, reasons);
        return new Choice(new CpuBackend(cpu), "cpu (" + cpu.threads() + (cpu.threads() == 1 ? " thread)" : " threads)"), reasons);
    }

    private static Choice open(BackendProvider provider, int ordinal, BackendOptions options) {
        Backend backend = provider.open(ordinal, options);
        return new Choice(backend, provider.kind() + ":" + ordinal + " (" + provider.devices().get(ordinal) + ")", "");
    }

    private static String precisions(List<Precision> all) {
        return all.stream().map(p -> p == all.getFirst() && all.size() > 1 ? p + " unless told otherwise" : p.toString()).collect(Collectors.joining(", "));
    }

    /// A line for each device of this host, with what it computes in, and for each kind that it lacks.
    ///
    /// @param cpu what the CPU is
    List<String> describe(String cpu) {
        List<String> lines = new ArrayList<>(List.of("cpu (" + cpu + "): " + precisions(OF_THE_CPU)));
        for (BackendProvider provider : providers) {
            try {
                List<String> devices = provider.devices();
                for (int ordinal = 0; ordinal < devices.size(); ordinal++) {
                    lines.add(provider.kind() + ":" + ordinal + " (" + devices.get(ordinal) + "): " + precisions(provider.precisions()));
                }
            } catch (NoDeviceException e) {
                lines.add(e.getMessage());
            }
        }
        return lines;
    }
}
