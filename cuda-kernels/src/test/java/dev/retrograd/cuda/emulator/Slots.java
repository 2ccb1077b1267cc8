package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.LaneOps.PredicateOperand;
import dev.retrograd.cuda.emulator.PtxModule.File;
import dev.retrograd.cuda.emulator.PtxModule.Immediate;
import dev.retrograd.cuda.emulator.PtxModule.Kernel;
import dev.retrograd.cuda.emulator.PtxModule.Not;
import dev.retrograd.cuda.emulator.PtxModule.Operand;
import dev.retrograd.cuda.emulator.PtxModule.Register;
import dev.retrograd.cuda.emulator.PtxModule.Sink;
import dev.retrograd.cuda.emulator.PtxModule.Special;
import dev.retrograd.cuda.emulator.PtxModule.Symbol;
import dev.retrograd.cuda.emulator.PtxModule.Variable;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Where a kernel's operands lie: every register, constant and special register has a slot of 32 lanes in one of two files.
///
/// The first four slots of a file are scratch.
final class Slots {
    private static final int SCRATCH = 4;
    private static final Set<String> SPECIALS = Set.of("%laneid", "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
            "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z");

    private final Kernel kernel;
    private final Map<String, Long> addresses;
    private final Map<Long, Integer> narrowConstants = new HashMap<>();
    private final Map<Long, Integer> wideConstants = new HashMap<>();
    private final Map<String, Integer> specials = new HashMap<>();
    private int narrow;
    private int wide;
    private int sharedBytes;
    private int localBytes;

    Slots(Kernel kernel, Map<String, Long> globals, List<Variable> moduleShared) {
        this.kernel = kernel;
        addresses = new HashMap<>(globals);
        narrow = SCRATCH + kernel.registers().narrow();
        wide = SCRATCH + kernel.registers().wide();
        kernel.parameters().forEach(p -> addresses.put(p.name(), (long) p.offset()));
        for (List<Variable> variables : List.of(kernel.variables(), moduleShared)) {
            for (Variable v : variables) {
                boolean local = v.space().equals("local");
                int at = Math.ceilDiv(local ? localBytes : sharedBytes, v.align()) * v.align();
                addresses.put(v.name(), (long) at);
                if (local) {
                    localBytes = at + v.bytes();
                } else {
                    sharedBytes = at + v.bytes();
                }
            }
        }
    }

    private static PtxException wrong(int line, String what) {
        return new PtxException("ptx, line " + line + ": " + what);
    }

    int constant(long bits, boolean isWide) {
        return Warp.LANES * (isWide ? wideConstants.computeIfAbsent(bits, _ -> wide++) : narrowConstants.computeIfAbsent(bits & 0xFFFFFFFFL, _ -> narrow++));
    }

    /// Address of a variable or parameter in its own memory.
    long address(Symbol s, int line) {
        Long at = addresses.get(s.name());
        if (at == null) {
            throw wrong(line, "no variable " + s.name());
        }
        return at + s.offset();
    }

    /// Slot of an operand that is read.
    int source(Operand o, boolean isWide, int line) {
        return switch (o) {
            case Register r -> register(r, isWide, line);
            case Immediate i -> constant(i.bits(), isWide);
            case Symbol s -> constant(address(s, line), isWide);
            case Special s -> special(s.name(), isWide, line);
            default -> throw wrong(line, "a register or a constant is required, got " + o);
        };
    }

    private int special(String name, boolean isWide, int line) {
        if (name.equals("%warpsize") || name.equals("WARP_SZ")) {
            return constant(Warp.LANES, isWide);
        }
        if (isWide || !SPECIALS.contains(name)) {
            throw wrong(line, "unknown special register " + name);
        }
        return specials.computeIfAbsent(name, _ -> Warp.LANES * narrow++);
    }

    /// Slot of an operand that is written.
    int target(Operand o, boolean isWide, int line) {
        return switch (o) {
            case Register r -> register(r, isWide, line);
            case Sink _ -> 0;
            default -> throw wrong(line, "a register is required, got " + o);
        };
    }

    private static int register(Register r, boolean isWide, int line) {
        if (r.file() != (isWide ? File.WIDE : File.NARROW)) {
            throw wrong(line, "a register of " + (isWide ? "64" : "at most 32") + " bits is required, got a " + r.file() + " one");
        }
        return (SCRATCH + r.index()) * Warp.LANES;
    }

    PredicateOperand predicate(Operand o, int line) {
        return switch (o) {
            case Register r when r.file() == File.PREDICATE -> new PredicateOperand(r.index(), false);
            case Not n -> new PredicateOperand(n.predicate().index(), true);
            case Immediate i -> new PredicateOperand(-1, i.bits() != 0);
            default -> throw wrong(line, "a predicate is required, got " + o);
        };
    }

    Program program(Op[] ops, int sharedGranuleShift) {
        int[] r = new int[narrow * Warp.LANES];
        long[] q = new long[wide * Warp.LANES];
        narrowConstants.forEach((bits, slot) -> Arrays.fill(r, slot * Warp.LANES, (slot + 1) * Warp.LANES, (int) (long) bits));
        wideConstants.forEach((bits, slot) -> Arrays.fill(q, slot * Warp.LANES, (slot + 1) * Warp.LANES, bits));
        return new Program(kernel.name(), kernel.parameterBytes(), ops, r, q, kernel.registers().predicates(), Map.copyOf(specials),
                Math.ceilDiv(sharedBytes, 16) * 16, sharedGranuleShift, localBytes);
    }
}
