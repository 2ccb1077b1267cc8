package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.MemoryOps.Place;
import dev.retrograd.cuda.emulator.PtxModule.Address;
import dev.retrograd.cuda.emulator.PtxModule.Immediate;
import dev.retrograd.cuda.emulator.PtxModule.Operand;
import dev.retrograd.cuda.emulator.PtxModule.Pair;
import dev.retrograd.cuda.emulator.PtxModule.Register;
import dev.retrograd.cuda.emulator.PtxModule.Statement;
import dev.retrograd.cuda.emulator.PtxModule.TensorAddress;
import dev.retrograd.cuda.emulator.PtxModule.Vector;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Decodes what compute capability 9.0 added: mbarriers, bulk copies, products of warpgroups. What it does not know it leaves to be refused.
final class AsyncDecoder {
    private static final String[] SHARED = {"shared"};
    private static final int LEAST_REGISTERS = 24;
    private static final int MOST_REGISTERS = 256;
    private static final int REGISTERS_AT_ONCE = 8;
    /// Of a product of a warpgroup.
    private static final int MOST_COLUMNS = 256;
    private static final int LEFT_REGISTERS = 4;

    private final Decoder decoder;

    AsyncDecoder(Decoder decoder) {
        this.decoder = decoder;
    }

    /// The registers that any wgmma of a kernel sums in, or has its left operand in.
    static Set<Register> ofProducts(List<Statement> body) {
        Set<Register> all = new HashSet<>();
        body.stream().filter(s -> s.opcode().startsWith("wgmma.mma_async")).forEach(s -> {
            registers(s.operands().get(0)).forEach(all::add);
            if (s.operands().get(1) instanceof Vector left) {
                registers(left).forEach(all::add);
            }
        });
        return all;
    }

    /// The registers of an operand.
    static Stream<Register> registers(Operand o) {
        return switch (o) {
            case Register r -> Stream.of(r);
            case Vector v -> v.parts().stream().flatMap(AsyncDecoder::registers);
            case Address a -> registers(a.base());
            case TensorAddress t -> Stream.concat(registers(t.base()), registers(t.coordinates()));
            case Pair p -> Stream.concat(registers(p.first()), registers(p.second()));
            default -> Stream.empty();
        };
    }

    /// @return null for an instruction that is not known
    Op decode(String opcode) {
        String name = opcode.replace(".shared::cta", ".shared");
        if (name.startsWith("wgmma.mma_async.sync.aligned.m64n")) {
            return multiply(name);
        }
        return switch (name) {
            case "mbarrier.init.shared.b64" -> new Mbarriers.Init(shared(0), decoder.operand(1, "b32"));
            case "mbarrier.arrive.shared.b64" -> new Mbarriers.Arrive(shared(1), true, decoder.constant(0));
            case "mbarrier.arrive.expect_tx.shared.b64" -> new Mbarriers.Arrive(shared(1), true, decoder.operand(2, "b32"));
            case "mbarrier.expect_tx.relaxed.cta.shared.b64" -> new Mbarriers.Arrive(shared(0), false, decoder.operand(1, "b32"));
            case "mbarrier.try_wait.parity.shared.b64" -> new Mbarriers.TryWait(shared(1), ((Register) decoder.in(0)).index(), decoder.operand(2, "b32"));
            case "wgmma.fence.sync.aligned" -> new WarpGroups.Fence();
            case "wgmma.commit_group.sync.aligned" -> new WarpGroups.Commit();
            case "wgmma.wait_group.sync.aligned" -> new WarpGroups.Wait(immediate(0));
            case "setmaxnreg.inc.sync.aligned.u32", "setmaxnreg.dec.sync.aligned.u32" -> registers(immediate(0));
            case "elect.sync" -> elect();
            case "trap" -> new Trap();
            case "fence.mbarrier_init.release.cluster" -> new Fence(false);
            case "fence.proxy.async", "fence.proxy.async.shared" -> new Fence(true);
            default -> name.matches("cp\\.async\\.bulk\\.tensor\\.[1-5]d\\.shared::cluster\\.global(\\.tile)?\\.mbarrier::complete_tx::bytes") ? copy(name) : null;
        };
    }

    private Place shared(int operand) {
        return decoder.place((Address) decoder.in(operand), SHARED);
    }

    private int immediate(int operand) {
        return decoder.in(operand) instanceof Immediate i ? Math.toIntExact(i.bits()) : -1;
    }

    private static Op registers(int count) {
        return count >= LEAST_REGISTERS && count <= MOST_REGISTERS && count % REGISTERS_AT_ONCE == 0 ? new Op.Nothing() : null;
    }

    private Op elect() {
        Pair p = (Pair) decoder.in(0);
        return new Elect(decoder.target(p.first()), ((Register) p.second()).index(), decoder.operand(1, "b32"));
    }

    private Op copy(String name) {
        TensorAddress source = (TensorAddress) decoder.in(1);
        int[] corner = source.coordinates().parts().stream().mapToInt(decoder::source).toArray();
        boolean fits = name.contains("." + corner.length + "d.");
        return fits ? new BulkCopies.Start(shared(0), decoder.place(new Address(source.base(), 0), new String[0]), corner, shared(2)) : null;
    }

    /// `wgmma.mma_async.sync.aligned.m64nNk16.f32.T.T d, a, b, adds, 1, 1, leftRowFirst, rightRowFirst`; without leftRowFirst where a is four registers.
    private Op multiply(String name) {
        String[] types = name.substring(name.indexOf("k16") + 3).split("\\.");
        boolean known = name.contains("k16.f32.") && types.length == 4 && types[2].equals(types[3]) && Set.of("bf16", "f16").contains(types[2]);
        int[] d = ((Vector) decoder.in(0)).parts().stream().mapToInt(decoder::source).toArray();
        int columns = Integer.parseInt(name.substring(name.indexOf("m64n") + 4, name.indexOf("k16")));
        int[] left = decoder.in(1) instanceof Vector v ? v.parts().stream().mapToInt(decoder::source).toArray() : new int[0];
        boolean inShared = left.length == 0;
        if (!known || columns % 8 != 0 || columns > MOST_COLUMNS || d.length * 2 != columns || !inShared && left.length != LEFT_REGISTERS || immediate(4) != 1 || immediate(5) != 1) {
            return null;
        }
        return new WarpGroups.MultiplyAsync(types[2].equals("bf16"), d, inShared ? decoder.operand(1, "b64") : 0, left, decoder.operand(2, "b64"), decoder.predicate(decoder.in(3)),
                inShared && immediate(6) == 1, immediate(inShared ? 7 : 6) == 1);
    }

    /// Picks one lane: the first.
    private static final class Elect extends Op {
        private final int d;
        private final int predicate;
        private final int members;

        Elect(int d, int predicate, int members) {
            this.d = d;
            this.predicate = predicate;
            this.members = members;
        }

        @Override void run(Warp w, int mask) {
            int first = Integer.numberOfTrailingZeros(mask);
            w.requireMembers(this, w.r[members + first], mask);
            Arrays.fill(w.r, d, d + Warp.LANES, first);
            w.p[predicate] = w.p[predicate] & ~mask | 1 << first;
        }
    }

    /// Orders ordinary writes, or only initialisations of mbarriers, before what the asynchronous hardware does.
    private static final class Fence extends Op {
        private final boolean writes;

        Fence(boolean writes) {
            this.writes = writes;
        }

        @Override void run(Warp w, int mask) {
            w.initFences++;
            w.proxyFences += writes ? 1 : 0;
        }
    }

    /// The program gives up.
    private static final class Trap extends Op {
        @Override void run(Warp w, int mask) {
            throw w.fault(this, Integer.numberOfTrailingZeros(mask), "trap");
        }
    }
}
