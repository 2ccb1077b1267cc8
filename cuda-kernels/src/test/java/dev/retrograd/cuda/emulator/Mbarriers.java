package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.MemoryOps.Place;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// The mbarriers of a block: arrivals and bytes of bulk copies that complete phase after phase. Source: NVIDIA's PTX ISA, 9.7.13.15, mbarrier.
final class Mbarriers {
    /// In a block, at once.
    static final int MOST = 64;
    private static final int BYTES = 8;
    private static final int MOST_COUNT = (1 << 20) - 1;

    private final Block block;
    private final Map<Integer, Mbarrier> byAddress = new HashMap<>();

    Mbarriers(Block block) {
        this.block = block;
    }

    void clear() {
        byAddress.clear();
    }

    /// One mbarrier.
    static final class Mbarrier {
        private final int number;
        private final int at;
        private final int count;
        /// who initialised it, at what clock, and after how many fences
        private final Warp owner;
        private final int ownersClock;
        private final int ownersFences;
        private int arrivalsLeft;
        private long bytesLeft;
        private int phase;
        private final int[] arriving;
        private final int[] completed;

        Mbarrier(int number, int at, int count, Warp owner) {
            this.number = number;
            this.at = at;
            this.count = count;
            this.owner = owner;
            ownersClock = owner.seen[owner.index];
            ownersFences = owner.initFences;
            arrivalsLeft = count;
            arriving = new int[owner.seen.length];
            completed = new int[owner.seen.length];
        }

        int number() {
            return number;
        }

        /// Phases that are complete.
        int phase() {
            return phase;
        }

        boolean done(int parity) {
            return (phase & 1) != (parity & 1);
        }

        void complete(long bytes) {
            bytesLeft -= bytes;
            advance();
        }

        private void advance() {
            if (arrivalsLeft == 0 && bytesLeft == 0) {
                phase++;
                arrivalsLeft = count;
                Clocks.join(completed, arriving);
                completed[owner.block.warpCount() + number] = phase;
            }
        }

        @Override public String toString() {
            return "phase " + phase + " of the mbarrier at byte " + at + ", which lacks " + arrivalsLeft + " arrivals and " + bytesLeft + " bytes";
        }
    }

    /// Whether these bytes of shared memory hold one.
    boolean over(int i, int bytes) {
        return byAddress.keySet().stream().anyMatch(at -> at < i + bytes && i < at + BYTES);
    }

    private void init(Warp w, Op op, int lane, int at, int count) {
        if (byAddress.containsKey(at)) {
            throw w.fault(op, lane, "the mbarrier at byte " + at + " is initialised twice");
        }
        if (count < 1 || count > MOST_COUNT || byAddress.size() == MOST) {
            throw w.fault(op, lane, "an mbarrier takes 1.." + MOST_COUNT + " arrivals, and a block " + MOST + " of them here, got " + count + " for number " + byAddress.size());
        }
        byAddress.put(at, new Mbarrier(byAddress.size(), at, count, w));
    }

    /// @param asynchronously whether a bulk copy will use it
    Mbarrier at(Warp w, Op op, int lane, Place place, boolean asynchronously) {
        int at = address(w, op, lane, place);
        Mbarrier b = byAddress.get(at);
        if (b == null) {
            throw w.fault(op, lane, "the mbarrier at byte " + at + " was never initialised");
        }
        if (w != b.owner && w.seen[b.owner.index] < b.ownersClock) {
            throw w.fault(op, lane, "the mbarrier at byte " + at + " is used with nothing between its initialisation by warp " + b.owner.index + " and this that orders them");
        }
        if (asynchronously && b.owner.initFences == b.ownersFences) {
            throw w.fault(op, lane, "the mbarrier at byte " + at + " is used by a bulk copy: a fence.mbarrier_init or fence.proxy.async must follow its initialisation");
        }
        return b;
    }

    private int address(Warp w, Op op, int lane, Place place) {
        long address = place.address(w, lane);
        Region region = MemoryOps.region(w, op, lane, place.space(), address, BYTES, true);
        if (region != block.shared) {
            throw w.fault(op, lane, "an mbarrier must lie in shared memory, got 0x" + Long.toHexString(address));
        }
        return MemoryOps.at(region, place.space(), address);
    }

    static final class Init extends Op implements Asynchronous {
        private final Place place;
        private final int count;

        /// @param count slot of the arrivals that a phase takes
        Init(Place place, int count) {
            this.place = place;
            this.count = count;
        }

        @Override void run(Warp w, int mask) {
            Mbarriers all = w.block.async.mbarriers;
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                int at = all.address(w, this, l, place);
                w.block.shared.writing(w, this, l, at, BYTES);
                Arrays.fill(w.block.shared.written, at, at + BYTES, (byte) 0);
                all.init(w, this, l, at, w.r[count + l]);
            }
        }
    }

    /// An arrival of each lane, or bytes to expect, or both.
    static final class Arrive extends Op implements Asynchronous {
        private final Place place;
        private final boolean arrives;
        private final int bytes;

        /// @param bytes slot of the bytes that the phase waits for as well
        Arrive(Place place, boolean arrives, int bytes) {
            this.place = place;
            this.arrives = arrives;
            this.bytes = bytes;
        }

        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                Mbarrier b = w.block.async.mbarriers.at(w, this, l, place, false);
                b.bytesLeft += w.r[bytes + l];
                if (arrives) {
                    if (b.arrivalsLeft == 0) {
                        throw w.fault(this, l, "an arrival too many: " + b);
                    }
                    b.arrivalsLeft--;
                    Clocks.join(b.arriving, w.seen);
                }
                b.advance();
            }
            w.seen[w.index]++;
        }
    }

    /// `mbarrier.try_wait.parity`. Here it does not return before the phase is complete: the warp waits, others go on.
    static final class TryWait extends Op implements Asynchronous {
        private final Place place;
        private final int predicate;
        private final int parity;

        TryWait(Place place, int predicate, int parity) {
            this.place = place;
            this.predicate = predicate;
            this.parity = parity;
        }

        @Override void run(Warp w, int mask) {
            throw new IllegalStateException("a wait is taken by the warp itself");
        }

        /// Whether no lane must wait any longer; then all of them see what came before the phase's end.
        boolean passes(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                Mbarrier b = w.block.async.mbarriers.at(w, this, l, place, false);
                if (!b.done(w.r[parity + l])) {
                    w.blockedBy(b, w.r[parity + l]);
                    return false;
                }
                Clocks.join(w.seen, b.completed);
            }
            w.p[predicate] |= mask;
            return true;
        }
    }
}
