package dev.retrograd.cuda;

import java.util.List;
import java.util.regex.Pattern;

/// What a kernel of tiles takes of a multiprocessor of compute capability 8.0, as the PTX compiler reports it.
///
/// @param threads of a block
/// @param registers of a thread
/// @param sharedBytes of a block
/// @param spilledBytes stored and loaded because registers ran out
record KernelUse(String name, int threads, int registers, int sharedBytes, int spilledBytes) {
    private static final Pattern REPORT = Pattern.compile(
            "Compiling entry function '(\\w+)'.*?(\\d+) bytes spill stores, (\\d+) bytes spill loads.*?Used (\\d+) registers(?:[^\\n]*?(\\d+) bytes smem)?[^\\n]*", Pattern.DOTALL);
    private static final int MOST_WARPS = 64;
    private static final int REGISTERS = 65536;
    private static final int SHARED_BYTES = 164 << 10;
    /// The system's own part of each block's shared memory.
    private static final int RESERVED_BYTES = 1 << 10;
    private static final int REGISTERS_AT_ONCE = 8;
    private static final int WARP = 32;

    /// All entries of a compiler's verbose log.
    static List<KernelUse> of(String log) {
        return REPORT.matcher(log).results().map(m -> new KernelUse(m.group(1), m.group(1).contains("Tile128x128") ? 256 : 128, Integer.parseInt(m.group(4)),
                m.group(5) == null ? 0 : Integer.parseInt(m.group(5)), Integer.parseInt(m.group(2)) + Integer.parseInt(m.group(3)))).toList();
    }

    /// Blocks that a multiprocessor runs at once.
    int blocks() {
        int byRegisters = REGISTERS / (Math.ceilDiv(registers, REGISTERS_AT_ONCE) * REGISTERS_AT_ONCE * threads);
        return Math.min(Math.min(byRegisters, SHARED_BYTES / (sharedBytes + RESERVED_BYTES)), MOST_WARPS * WARP / threads);
    }

    @Override public String toString() {
        return name + ": " + registers + " registers, " + sharedBytes + " bytes shared, " + spilledBytes + " bytes spilled, " + blocks() + " blocks of " + threads
                + " threads at once, " + 100 * blocks() * threads / WARP / MOST_WARPS + " % of the warps";
    }
}
