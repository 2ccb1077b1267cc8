package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendProvider;
import dev.retrograd.core.NoDeviceException;
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
    /// @param cpu how the CPU computes if it is chosen
    /// @throws SettingException if no device can be called that
    /// @throws NoDeviceException if it was named and cannot be used
    Choice open(String device, CpuBackend.Options cpu) {
        if (device.equals(AUTO)) {
            return automatic(cpu);
        }
        if (device.equals(CPU)) {
            return cpu(cpu, "");
        }
        Matcher name = NAME.matcher(device);
        Optional<BackendProvider> provider = name.matches() ? provider(name.group(1)) : Optional.empty();
        if (provider.isEmpty()) {
            throw new SettingException("--device: must be auto, cpu" + providers.stream().map(p -> ", " + p.kind() + ", " + p.kind() + ":N").collect(Collectors.joining()) + ", got '" + device + "'");
        }
        try {
            return open(provider.get(), name.group(2) == null ? 0 : Integer.parseInt(name.group(2)));
        } catch (NoDeviceException e) {
            throw new NoDeviceException(e.getMessage() + "; use --device cpu", e);
        }
    }

    private Optional<BackendProvider> provider(String kind) {
        return providers.stream().filter(p -> p.kind().equals(kind)).findFirst();
    }

    private Choice automatic(CpuBackend.Options cpu) {
        StringBuilder reasons = new StringBuilder();
        for (String kind : PREFERRED) {
            Optional<BackendProvider> provider = provider(kind);
            if (provider.isPresent()) {
                try {
                    return open(provider.get(), 0);
                } catch (NoDeviceException e) {
                    reasons.append("; ").append(e.getMessage());
                }
            }
        }
        return cpu(cpu, reasons.toString());
    }

    private static Choice cpu(CpuBackend.Options cpu, String reasons) {
        return new Choice(new CpuBackend(cpu), "cpu (" + cpu.threads() + (cpu.threads() == 1 ? " thread)" : " threads)"), reasons);
    }

    private static Choice open(BackendProvider provider, int ordinal) {
        Backend backend = provider.open(ordinal);
        return new Choice(backend, provider.kind() + ":" + ordinal + " (" + provider.devices().get(ordinal) + ")", "");
    }

    /// A line for each device of this host, and for each kind that it lacks.
    ///
    /// @param cpu what the CPU is
    List<String> describe(String cpu) {
        List<String> lines = new ArrayList<>(List.of("cpu (" + cpu + ")"));
        for (BackendProvider provider : providers) {
            try {
                List<String> devices = provider.devices();
                for (int ordinal = 0; ordinal < devices.size(); ordinal++) {
                    lines.add(provider.kind() + ":" + ordinal + " (" + devices.get(ordinal) + ")");
                }
            } catch (NoDeviceException e) {
                lines.add(e.getMessage());
            }
        }
        return lines;
    }
}
