package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
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

/// What `--device` chooses among: the CPU, and the devices of every {@link BackendProvider} in the program.
final class Devices {
    static final String AUTO = "auto";
    static final String CPU = "cpu";
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

    /// Opens a device.
    ///
    /// @param device `auto`, `cpu`, or a provider's kind with or without `:ordinal`
    /// @param precision what it is to compute in; empty for what suits it best
    /// @param cpu how the CPU computes if it is chosen
    /// @throws SettingException if no device can be called that, or it does not compute in that
    /// @throws NoDeviceException if it was named and cannot be used
    Choice open(String device, Optional<Precision> precision, CpuBackend.Options cpu) {
        if (device.equals(AUTO)) {
            return automatic(precision, cpu);
        }
        if (device.equals(CPU)) {
            return cpu(precision, cpu, "");
        }
        Named named = named(device);
        check(named.provider().kind(), named.provider().precisions(), precision, "");
        try {
            return open(named.provider(), named.ordinal(), precision);
        } catch (NoDeviceException e) {
            throw new NoDeviceException(e.getMessage() + "; use --device cpu", e);
        }
    }

    /// What a device would compute in, be it there or not.
    ///
    /// @param device `cpu`, or a provider's kind with or without `:ordinal`
    /// @throws SettingException likewise
    DeviceOptions.Planned planned(String device, Optional<Precision> precision) {
        boolean onCpu = device.equals(CPU);
        String kind = onCpu ? CPU : named(device).provider().kind();
        List<Precision> precisions = onCpu ? OF_THE_CPU : named(device).provider().precisions();
        check(kind, precisions, precision, "");
        return new DeviceOptions.Planned(kind, precision.orElse(precisions.getFirst()));
    }

    private record Named(BackendProvider provider, int ordinal) {
    }

    private Named named(String device) {
        Matcher name = NAME.matcher(device);
        Optional<BackendProvider> provider = name.matches() ? provider(name.group(1)) : Optional.empty();
        if (provider.isEmpty()) {
            throw new SettingException("--device: must be auto, cpu" + providers.stream().map(p -> ", " + p.kind() + ", " + p.kind() + ":N").collect(Collectors.joining()) + ", got '" + device + "'");
        }
        return new Named(provider.get(), name.group(2) == null ? 0 : Integer.parseInt(name.group(2)));
    }

    private Optional<BackendProvider> provider(String kind) {
        return providers.stream().filter(p -> p.kind().equals(kind)).findFirst();
    }

    private static void check(String device, List<Precision> known, Optional<Precision> wanted, String reasons) {
        wanted.ifPresent(w -> SettingException.require(known.contains(w), "--precision",
                "auto or " + known.stream().map(Precision::toString).collect(Collectors.joining(", ")) + " on the device " + device + reasons, w));
    }

    private Choice automatic(Optional<Precision> precision, CpuBackend.Options cpu) {
        StringBuilder reasons = new StringBuilder();
        for (String kind : PREFERRED) {
            Optional<BackendProvider> provider = provider(kind);
            if (provider.isPresent()) {
                try {
                    return open(provider.get(), 0, precision);
                } catch (NoDeviceException e) {
                    reasons.append("; ").append(e.getMessage());
                }
            }
        }
        return cpu(precision, cpu, reasons.toString());
    }

    private static Choice cpu(Optional<Precision> precision, CpuBackend.Options cpu, String reasons) {
        check(CPU, OF_THE_CPU, precision, reasons);
        return new Choice(new CpuBackend(cpu), "cpu (" + cpu.threads() + (cpu.threads() == 1 ? " thread)" : " threads)"), reasons);
    }

    private static Choice open(BackendProvider provider, int ordinal, Optional<Precision> precision) {
        Backend backend = provider.open(ordinal, precision);
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
