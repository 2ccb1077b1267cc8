package dev.retrograd.trainer.cli;

import dev.retrograd.core.cpu.CpuBackend;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// What the program runs on, as `info` prints it and a run remembers it.
final class Environment {
    private static final long MIB = 1 << 20;

    private Environment() {}

    static SequencedMap<String, String> current() {
        SequencedMap<String, String> all = new LinkedHashMap<>();
        all.put("version", Main.Version.current());
        all.put("java", property("java.runtime.version") + ", " + property("java.vendor") + ", " + property("java.home"));
        all.put("system", property("os.name") + " " + property("os.version") + ", " + property("os.arch"));
        all.put("flags", flags());
        all.put("heap", Runtime.getRuntime().maxMemory() / MIB + " MiB at most; tensors live outside it");
        all.put("cpu", cpu());
        return all;
    }

    /// @param device that computes
    static SequencedMap<String, String> current(String device) {
        SequencedMap<String, String> all = current();
        all.put("device", device);
        return all;
    }

    /// The JVM flags in effect, without what launcher and script tell the program.
    private static String flags() {
        return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(flag -> !flag.startsWith("-Dretrograd."))
                .collect(Collectors.joining(" "));
    }

    private static String cpu() {
        VectorSpecies<Float> species = FloatVector.SPECIES_PREFERRED;
        return Runtime.getRuntime().availableProcessors() + " cores, vectors of " + species.length() + " × float32, "
                + species.vectorBitSize() + " bits; products " + CpuBackend.products();
    }

    private static String property(String name) {
        return System.getProperty(name);
    }
}
