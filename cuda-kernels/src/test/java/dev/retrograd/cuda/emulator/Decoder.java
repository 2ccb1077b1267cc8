package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.LaneOps.PredicateOperand;
import dev.retrograd.cuda.emulator.MemoryOps.Place;
import dev.retrograd.cuda.emulator.MemoryOps.Space;
import dev.retrograd.cuda.emulator.PtxModule.Address;
import dev.retrograd.cuda.emulator.PtxModule.File;
import dev.retrograd.cuda.emulator.PtxModule.Immediate;
import dev.retrograd.cuda.emulator.PtxModule.Kernel;
import dev.retrograd.cuda.emulator.PtxModule.Operand;
import dev.retrograd.cuda.emulator.PtxModule.Pair;
import dev.retrograd.cuda.emulator.PtxModule.Register;
import dev.retrograd.cuda.emulator.PtxModule.Statement;
import dev.retrograd.cuda.emulator.PtxModule.Symbol;
import dev.retrograd.cuda.emulator.PtxModule.Vector;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Turns a kernel's statements into operations on slots of the register files. What it does not know it refuses, by name and line.
final class Decoder {
    private final Kernel kernel;
    private final Slots slots;
    private Statement now;

    private Decoder(Kernel kernel, Slots slots) {
        this.kernel = kernel;
        this.slots = slots;
    }

    /// @param globals addresses of the module's `.global` and `.const` variables
    /// @param moduleShared shared variables outside all kernels
    /// @throws PtxException naming the instruction and its line
    static Program decode(Kernel kernel, Map<String, Long> globals, List<PtxModule.Variable> moduleShared) {
        Slots slots = new Slots(kernel, globals, moduleShared);
        return new Decoder(kernel, slots).program();
    }

    private Program program() {
        List<Op> ops = new ArrayList<>();
        int granule = 4;
        Set<Register> watched = AsyncDecoder.ofProducts(kernel.body());
        for (Statement s : kernel.body()) {
            now = s;
            Op op = guarded(instruction(), watched);
            op.line = s.line();
            if (s.guard() != null) {
                op.guard = s.guard().index();
                op.negated = s.negated();
            }
            ops.add(op);
            granule = Math.min(granule, granule(s));
        }
        ops.add(new Op.Exit());
        for (Op op : ops) {
            if (op instanceof Op.Branch branch) {
                Integer target = kernel.labels().get(branch.label);
                if (target == null) {
                    throw new PtxException("ptx, line " + op.line + ": no label " + branch.label);
                }
                branch.target = target;
            }
        }
        return slots.program(ops.toArray(Op[]::new), Integer.numberOfTrailingZeros(granule));
    }

    /// Watches the registers that wgmma sums in or reads.
    private Op guarded(Op op, Set<Register> watched) {
        int[] slots = now.operands().stream().flatMap(AsyncDecoder::registers).filter(watched::contains).mapToInt(this::source).toArray();
        return slots.length == 0 || op instanceof WarpGroups.MultiplyAsync ? op : new WarpGroups.Guarded(op, slots);
    }

    /// Bytes of an access that may go to shared memory.
    private static int granule(Statement s) {
        String[] parts = s.opcode().split("\\.");
        boolean access = parts[0].equals("ld") || parts[0].equals("st");
        boolean elsewhere = Arrays.stream(parts).anyMatch(Set.of("global", "param", "const", "local")::contains);
        return access && !elsewhere ? Math.min(4, PtxTypes.bytes(parts[parts.length - 1])) : 4;
    }

    private Op instruction() {
        String[] parts = now.opcode().split("\\.");
        String type = parts[parts.length - 1];
        Set<String> modifiers = new LinkedHashSet<>(Arrays.asList(parts).subList(1, parts.length));
        Op op = switch (parts[0]) {
            case "mov" -> move(type);
            case "ld", "ldu" -> load(parts, type);
            case "st" -> store(parts, type);
            case "atom", "red" -> atomic(parts, type);
            case "cvta" -> convertAddress(parts);
            case "cvt" -> convert(parts);
            case "setp" -> setPredicate(parts, type);
            case "selp" -> new LaneOps.Select(PtxTypes.bytes(type) == 8, result(0, type), operand(1, type), operand(2, type), predicate(in(3)));
            case "bfi" -> new LaneOps.Insert(PtxTypes.bytes(type) == 8, result(0, type), operand(1, type), operand(2, type), operand(3, "b32"), operand(4, "b32"));
            case "bra" -> new Op.Branch(((Symbol) in(0)).name());
            case "ret", "exit" -> new Op.Exit();
            case "bar", "barrier" -> barrier(modifiers);
            case "shfl" -> shuffle(parts);
            case "vote" -> new LaneOps.Vote(parts[2], parts[2].equals("ballot") ? result(0, "b32") : ((Register) in(0)).index(), predicate(in(1)), operand(2, "b32"));
            case "cp" -> parts.length > 2 && parts[2].equals("bulk") ? new AsyncDecoder(this).decode(now.opcode()) : asyncCopy(parts);
            case "mbarrier", "wgmma", "setmaxnreg", "elect", "trap" -> new AsyncDecoder(this).decode(now.opcode());
            case "ldmatrix" -> loadMatrix(parts, modifiers);
            case "mma" -> multiply(parts);
            case "fence" -> modifiers.contains("proxy") || modifiers.contains("mbarrier_init") ? new AsyncDecoder(this).decode(now.opcode()) : new Op.Nothing();
            case "membar", "prefetch" -> new Op.Nothing();
            default -> arithmetic(parts[0], modifiers, type);
        };
        if (op == null) {
            throw unknown();
        }
        return op;
    }

    private PtxException unknown() {
        return new PtxException("ptx, line " + now.line() + " of " + kernel.name() + ": unknown instruction " + now.opcode());
    }

    Operand in(int i) {
        if (i >= now.operands().size()) {
            throw unknown();
        }
        return now.operands().get(i);
    }

    /// Slot of a constant of 32 bits.
    int constant(int value) {
        return slots.constant(value, false);
    }

    /// Slot of an operand of at most 32 bits that is read.
    int source(Operand o) {
        return slots.source(o, false, now.line());
    }

    /// Slot of an operand of at most 32 bits that is written.
    int target(Operand o) {
        return slots.target(o, false, now.line());
    }

    int operand(int i, String type) {
        return slots.source(in(i), PtxTypes.bytes(type) == 8, now.line());
    }

    private int result(int i, String type) {
        return slots.target(in(i), PtxTypes.bytes(type) == 8, now.line());
    }

    PredicateOperand predicate(Operand o) {
        return slots.predicate(o, now.line());
    }

    private Op arithmetic(String base, Set<String> modifiers, String type) {
        if (type.equals("pred")) {
            return new LaneOps.PredicateLogic(base, ((Register) in(0)).index(), predicate(in(1)),
                    now.operands().size() > 2 ? predicate(in(2)) : new PredicateOperand(-1, false));
        }
        if (!PtxTypes.isType(type)) {
            return null;
        }
        Set<String> kept = new LinkedHashSet<>(modifiers);
        kept.remove("rn"); // the default
        List<String> name = new ArrayList<>(List.of(base));
        name.addAll(kept);
        boolean narrow16 = type.endsWith("16") && !PtxTypes.floating(type);
        boolean widening = kept.contains("wide");
        if (narrow16) {
            name.set(name.size() - 1, type.charAt(0) + "32");
        }
        String key = String.join(".", name);
        Op.Body body = PtxTypes.floating(type) ? FloatOps.find(key) : IntegerOps.find(narrow16 && widening ? key.replace("wide", "lo") : key);
        if (body == null) {
            return null;
        }
        boolean wide = PtxTypes.bytes(type) == 8;
        boolean toNarrow = base.equals("popc") || base.equals("clz");
        boolean wideResult = wide && !toNarrow || widening && type.endsWith("32");
        int d = slots.target(in(0), wideResult, now.line());
        int[] sources = new int[now.operands().size() - 1];
        for (int i = 0; i < sources.length; i++) {
            boolean shift = i == 1 && (base.equals("shl") || base.equals("shr"));
            boolean addend = i == 2 && widening && type.endsWith("32");
            sources[i] = slots.source(in(i + 1), !shift && (wide || addend), now.line());
        }
        return narrow16 ? new Op.Alu16(body, PtxTypes.signed(type), d, sources) : new Op.Alu(body, wideResult, d, sources);
    }

    private Op move(String type) {
        if (type.equals("pred")) {
            return new LaneOps.PredicateLogic("mov", ((Register) in(0)).index(), predicate(in(1)), new PredicateOperand(-1, false));
        }
        boolean wide = PtxTypes.bytes(type) == 8;
        if (in(1) instanceof Vector v) {
            int bits = PtxTypes.bytes(type) * 8 / v.parts().size();
            return new LaneOps.Pack(bits, wide, result(0, type), v.parts().stream().mapToInt(o -> slots.source(o, false, now.line())).toArray());
        }
        if (in(0) instanceof Vector v) {
            int bits = PtxTypes.bytes(type) * 8 / v.parts().size();
            return new LaneOps.Unpack(bits, wide, operand(1, type), v.parts().stream().mapToInt(o -> slots.target(o, false, now.line())).toArray());
        }
        return new Op.Alu(IntegerOps.find(wide ? "mov.64" : "mov.32"), wide, result(0, type), operand(1, type));
    }

    private Op convert(String[] parts) {
        String from = parts[parts.length - 1];
        String to = parts[parts.length - 2];
        Op.Body body = PtxTypes.isType(to) && PtxTypes.isType(from) ? Conversions.find(to, from, new HashSet<>(Arrays.asList(parts).subList(1, parts.length - 2))) : null;
        // a target register may be wider than the type
        int[] sources = to.endsWith("x2") ? new int[] {operand(1, from), operand(2, from)} : new int[] {operand(1, from)};
        return body == null ? null : new Op.Alu(body, PtxTypes.bytes(to) == 8, result(0, to), sources);
    }

    /// Generic addresses of global memory are its own; the other memories have a window each.
    private Op convertAddress(String[] parts) {
        boolean toSpace = parts[1].equals("to");
        long window = switch (parts[toSpace ? 2 : 1]) {
            case "shared" -> MemoryOps.SHARED_WINDOW;
            case "local" -> MemoryOps.LOCAL_WINDOW;
            case "param" -> MemoryOps.PARAM_WINDOW;
            default -> 0;
        };
        return new Op.Alu(IntegerOps.find(toSpace ? "sub.u64" : "add.u64"), true, result(0, "u64"), operand(1, "u64"), slots.constant(window, true));
    }

    private Op setPredicate(String[] parts, String type) {
        String combine = parts.length == 4 ? parts[2] : "";
        boolean narrow16 = type.endsWith("16") && !PtxTypes.floating(type);
        Op.Test test = Comparisons.find(parts[1] + "." + (narrow16 ? type.charAt(0) + "32" : type));
        if (test == null || !Set.of("", "and", "or", "xor").contains(combine)) {
            return null;
        }
        Register d = (Register) (in(0) instanceof Pair p ? p.first() : in(0));
        int opposite = in(0) instanceof Pair p ? ((Register) p.second()).index() : -1;
        return new LaneOps.SetPredicate(test, narrow16, PtxTypes.signed(type), d.index(), opposite, operand(1, type), operand(2, type), combine,
                combine.isEmpty() ? new PredicateOperand(-1, false) : predicate(in(3)));
    }

    private Op barrier(Set<String> modifiers) {
        if (modifiers.contains("warp")) {
            return new LaneOps.WarpBarrier(operand(0, "b32"));
        }
        if (!modifiers.contains("sync")) {
            return null;
        }
        return now.operands().size() == 1 ? new Op.Barrier() : new Op.PartialBarrier(operand(0, "b32"), operand(1, "b32"));
    }

    private Op shuffle(String[] parts) {
        Optional<LaneOps.Shuffle.How> how = parts.length == 4 && parts[1].equals("sync") ? LaneOps.Shuffle.How.of(parts[2]) : Optional.empty();
        if (how.isEmpty()) {
            return null;
        }
        Operand d = in(0) instanceof Pair p ? p.first() : in(0);
        int valid = in(0) instanceof Pair p ? ((Register) p.second()).index() : -1;
        return new LaneOps.Shuffle(how.get(), slots.target(d, false, now.line()), valid, operand(1, "b32"), operand(2, "b32"), operand(3, "b32"), operand(4, "b32"));
    }

    private Op load(String[] parts, String type) {
        boolean wide = wide(in(0));
        int[] targets = slotsOf(in(0), wide, true);
        Address address = (Address) in(1);
        if (parts[1].equals("param")) {
            return new MemoryOps.LoadParameter(place(address, parts), type, wide, targets);
        }
        return new MemoryOps.Load(place(address, parts), type, wide, targets);
    }

    private Op store(String[] parts, String type) {
        boolean wide = PtxTypes.bytes(type) == 8 || wide(in(1));
        return new MemoryOps.Store(place((Address) in(0), parts), type, wide, slotsOf(in(1), wide, false));
    }

    private Op atomic(String[] parts, String type) {
        boolean result = parts[0].equals("atom");
        int first = result ? 1 : 0;
        int[] operands = new int[now.operands().size() - first - 1];
        for (int i = 0; i < operands.length; i++) {
            operands[i] = operand(first + 1 + i, type);
        }
        return new MemoryOps.Atomic(place((Address) in(first), parts), parts[parts.length - 2], type, result ? result(0, type) : 0, operands);
    }

    private Op asyncCopy(String[] parts) {
        if (parts.length < 3 || !parts[1].equals("async")) {
            return null;
        }
        return switch (parts[2]) {
            case "commit_group" -> new AsyncCopies.Commit();
            case "wait_all" -> new AsyncCopies.Wait(-1);
            case "wait_group" -> new AsyncCopies.Wait(Math.toIntExact(((Immediate) in(0)).bits()));
            case "ca", "cg" -> {
                int bytes = Math.toIntExact(((Immediate) in(2)).bits());
                yield new AsyncCopies.Start(place((Address) in(0), new String[] {"shared"}), place((Address) in(1), new String[] {"global"}), bytes,
                        now.operands().size() > 3 ? operand(3, "b32") : slots.constant(bytes, false));
            }
            default -> null;
        };
    }

    private Op loadMatrix(String[] parts, Set<String> modifiers) {
        if (!modifiers.containsAll(Set.of("sync", "aligned", "m8n8", "shared", "b16"))) {
            return null;
        }
        return new MatrixOps.LoadMatrix(place((Address) in(1), parts), modifiers.contains("trans"), slotsOf(in(0), false, true));
    }

    /// `mma.sync.aligned.m16n8kK.row.col.f32.T.T.f32`
    private Op multiply(String[] parts) {
        String name = String.join(".", parts);
        MatrixOps.Element element = switch (name.replaceFirst("m16n8k(4|8|16)", "SHAPE")) {
            case "mma.sync.aligned.SHAPE.row.col.f32.f16.f16.f32" -> MatrixOps.Element.F16;
            case "mma.sync.aligned.SHAPE.row.col.f32.bf16.bf16.f32" -> MatrixOps.Element.BF16;
            case "mma.sync.aligned.SHAPE.row.col.f32.tf32.tf32.f32" -> MatrixOps.Element.TF32;
            default -> null;
        };
        if (element == null) {
            return null;
        }
        int k = Integer.parseInt(parts[3].substring("m16n8k".length()));
        int[] a = slotsOf(in(1), false, false);
        int[] b = slotsOf(in(2), false, false);
        int perRegister = element == MatrixOps.Element.TF32 ? 1 : 2;
        boolean fits = a.length * perRegister * Warp.LANES == 16 * k && b.length * perRegister * Warp.LANES == 8 * k;
        return fits ? new MatrixOps.Multiply(element, k, slotsOf(in(0), false, true), a, b, slotsOf(in(3), false, false)) : null;
    }

    Place place(Address address, String[] parts) {
        List<String> words = Arrays.asList(parts);
        Space space = words.contains("global") || words.contains("const") ? Space.GLOBAL
                : words.contains("shared") || words.contains("shared::cta") ? Space.SHARED
                : words.contains("local") ? Space.LOCAL
                : words.contains("param") ? Space.PARAM : Space.GENERIC;
        return switch (address.base()) {
            case Register r -> new Place(space, r.file() == File.WIDE, slots.source(r, r.file() == File.WIDE, now.line()), address.offset());
            case Symbol s -> new Place(space, true, -1, slots.address(s, now.line()) + address.offset());
            default -> throw unknown();
        };
    }

    private static boolean wide(Operand o) {
        return (o instanceof Vector v ? v.parts().getFirst() : o) instanceof Register r && r.file() == File.WIDE;
    }

    private int[] slotsOf(Operand o, boolean wide, boolean target) {
        List<Operand> parts = o instanceof Vector v ? v.parts() : List.of(o);
        return parts.stream().mapToInt(p -> target ? slots.target(p, wide, now.line()) : slots.source(p, wide, now.line())).toArray();
    }
}
