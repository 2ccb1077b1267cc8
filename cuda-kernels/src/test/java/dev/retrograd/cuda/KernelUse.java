package dev.retrograd.cuda;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a kernel takes of a multiprocessor, as the PTX compiler reports it.
///
/// @param threads of a block
/// @param registers of a thread
/// @param sharedBytes of a block
/// @param staticBytes of these, those that the text reserves
/// @param spilledBytes stored and loaded because registers ran out
record KernelUse(String name, int threads, int registers, int sharedBytes, int staticBytes, int spilledBytes) {
    private static final Pattern REPORT = Pattern.compile(
            "Compiling entry function '(\\w+)'.*?(\\d+) bytes spill stores, (\\d+) bytes spill loads.*?Used (\\d+) registers(?:[^\\n]*?(\\d+) bytes smem)?[^\\n]*", Pattern.DOTALL);
    /// An entry that says how many threads its blocks have.
    private static final Pattern BOUND = Pattern.compile("\\.entry (\\w+)\\([^)]*\\)\\s*\\.maxntid (\\d+)");
    /// Of entries that do not say so.
    private static final int ATTENTION_THREADS = 128;
    private static final Pattern HOPPER_ATTENTION = Pattern.compile("attention_sm90_(fwd|bwd_q|bwd_kv)_(\\d+)_b?f16");
    private static final int REGISTERS = 65536;
    /// The system's own part of each block's shared memory.
    private static final int RESERVED_BYTES = 1 << 10;
    private static final int REGISTERS_AT_ONCE = 8;
    private static final int WARP = 32;

    /// What a multiprocessor of a compute capability holds at once. Source: CUDA C++ Programming Guide, table of technical specifications.
    enum Multiprocessor {
        SM_80(32, 64, 164), SM_86(16, 48, 100), SM_89(24, 48, 100), SM_90(32, 64, 228), SM_100(32, 64, 228), SM_120(24, 48, 100);

        private final int blocks;
        private final int warps;
        private final int sharedBytes;

        Multiprocessor(int blocks, int warps, int sharedKibibytes) {
            this.blocks = blocks;
            this.warps = warps;
            sharedBytes = sharedKibibytes << 10;
        }

        @Override public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// All entries of a text.
    ///
    /// @param log what the compiler said of it, verbosely
    static List<KernelUse> of(String ptx, String log) {
        Map<String, Integer> bounds = new HashMap<>();
        BOUND.matcher(ptx).results().forEach(m -> bounds.put(m.group(1), Integer.parseInt(m.group(2))));
        return REPORT.matcher(log).results().map(m -> {
            String name = m.group(1);
            int fixed = m.group(5) == null ? 0 : Integer.parseInt(m.group(5));
            return new KernelUse(name, bounds.getOrDefault(name, name.startsWith("attention") ? ATTENTION_THREADS : Launcher.THREADS), Integer.parseInt(m.group(4)), fixed + dynamic(name), fixed,
                    Integer.parseInt(m.group(2)) + Integer.parseInt(m.group(3)));
        }).toList();
    }

    /// What a launch adds to a block's shared memory: the ring of stages of a kernel that has one, what attention on warpgroups keeps, and what heads of 512 channels need.
    private static int dynamic(String name) {
        Optional<Ring> ring = Arrays.stream(Ring.values()).filter(r -> name.endsWith(r.suffix())).findFirst();
        if (ring.isPresent()) {
            return ring.get().sharedBytes();
        }
        Matcher onWarpgroups = HOPPER_ATTENTION.matcher(name);
        if (onWarpgroups.matches()) {
            HopperAttention.Width w = HopperAttention.Width.of(Integer.parseInt(onWarpgroups.group(2)));
            return onWarpgroups.group(1).equals("fwd") ? w.sharedBytes() : w.backwardSharedBytes();
        }
        return name.matches("attention_.*_512_b?f16") ? AttentionKernels.Wide.UP_TO_512.sharedBytes(name.matches(".*(fwd|bwd_v).*") ? 1 : 2) : 0;
    }

    /// Blocks that a multiprocessor runs at once.
    int blocks(Multiprocessor m) {
        int byRegisters = REGISTERS / (Math.ceilDiv(registers, REGISTERS_AT_ONCE) * REGISTERS_AT_ONCE * threads);
        return Math.min(Math.min(byRegisters, m.sharedBytes / (sharedBytes + RESERVED_BYTES)), Math.min(m.blocks, m.warps * WARP / threads));
    }

    /// Share of the warps that a multiprocessor could hold, in percent.
    int occupancy(Multiprocessor m) {
        return 100 * blocks(m) * threads / WARP / m.warps;
    }
}
