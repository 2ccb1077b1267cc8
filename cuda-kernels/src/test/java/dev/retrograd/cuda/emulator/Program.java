package dev.retrograd.cuda.emulator;

import java.util.Arrays;
import java.util.Map;

/// A decoded kernel: what all its launches share.
final class Program {
    final String name;
    final int parameterBytes;
    final Op[] ops;
    /// register files with the constants in place
    final int[] narrowTemplate;
    final long[] wideTemplate;
    final int predicates;
    /// special register to slot
    final Map<String, Integer> specials;
    /// of the variables with a size; those of the launch follow
    final int sharedBytes;
    final int sharedGranuleShift;
    final int localBytes;
    /// whether some instruction lets warps wait for less than the whole block
    final boolean asynchronous;

    Program(String name, int parameterBytes, Op[] ops, int[] narrowTemplate, long[] wideTemplate, int predicates, Map<String, Integer> specials,
            int sharedBytes, int sharedGranuleShift, int localBytes) {
        this.name = name;
        this.parameterBytes = parameterBytes;
        this.ops = ops;
        this.narrowTemplate = narrowTemplate;
        this.wideTemplate = wideTemplate;
        this.predicates = predicates;
        this.specials = specials;
        this.sharedBytes = sharedBytes;
        this.sharedGranuleShift = sharedGranuleShift;
        this.localBytes = localBytes;
        asynchronous = Arrays.stream(ops).anyMatch(Asynchronous.class::isInstance);
    }
}
