package dev.retrograd.cuda.emulator;

import java.util.Arrays;

/// Shared memory of a block whose warps are ordered by more than barriers of all threads: by mbarriers, and by barriers of some warps. Bulk copies write
/// it and wgmma reads it on their own time.
///
/// Every warp has a vector clock ({@link Warp#seen}): what it knows of each other warp's, and of each mbarrier's completed phases. An access is ordered after
/// another where the clock of its warp has seen the other's. Remembered per granule are the last writer and the last readers of every warp: an entry holds
/// the clock (28 bits), the warp's barrier count (20) and who (16): a thread, several of a warp, or the copies that an mbarrier waits for.
final class OrderedRegion extends SharedRegion {
    private static final int WHO_BITS = 16;
    private static final int CLOCK_AT = 36;
    private static final int SEVERAL_OF_WARP = 2048;
    private static final int COPY = 4096;

    private final int granuleShift;
    private final Block block;
    private final long[] writer;
    /// how often the writer's warp had fenced its writes for asynchronous readers
    private final int[] fences;
    private final long[][] readers;

    OrderedRegion(Block block, int bytes, int granuleShift) {
        super(bytes, granuleShift);
        this.block = block;
        this.granuleShift = granuleShift;
        writer = new long[(bytes >> granuleShift) + 1];
        fences = new int[writer.length];
        readers = new long[block.warpCount()][];
    }

    @Override void clear() {
        Arrays.fill(written, (byte) 0);
        Arrays.fill(writer, 0);
        for (long[] r : readers) {
            if (r != null) {
                Arrays.fill(r, 0);
            }
        }
    }

    private static long entry(int clock, int barriers, int who) {
        return (long) clock << CLOCK_AT | (barriers & 0xFFFFFL) << WHO_BITS | who;
    }

    private static long entry(Warp w, int lane) {
        return entry(w.seen[w.index], w.barriers, w.thread(lane) + 1);
    }

    private static int who(long entry) {
        return (int) entry & (1 << WHO_BITS) - 1;
    }

    /// Whether nothing orders the entry before what a thread does now.
    private boolean unordered(long entry, Warp w, long now) {
        int who = who(entry);
        if (who == 0 || who == who(now)) {
            return false;
        }
        int clock = (int) (entry >>> CLOCK_AT);
        if (who >= COPY) {
            return w.seen[block.warpCount() + who - COPY] < clock;
        }
        int warp = who >= SEVERAL_OF_WARP ? who - SEVERAL_OF_WARP : (who - 1) / Warp.LANES;
        return warp == w.index ? entry >>> WHO_BITS == now >>> WHO_BITS : w.seen[warp] < clock;
    }

    private void requireWritersOrdered(Warp w, Op op, int lane, int g, String how) {
        if (unordered(writer[g], w, entry(w, lane))) {
            throw w.fault(op, lane, race(how, g, "written", writer[g]));
        }
    }

    private String race(String now, int granule, String before, long entry) {
        int who = who(entry);
        String other = who >= COPY ? "a bulk copy whose mbarrier this thread has not waited for" : who >= SEVERAL_OF_WARP ? "several threads of warp " + (who - SEVERAL_OF_WARP) : "thread " + (who - 1);
        return "race in shared memory: byte " + (granule << granuleShift) + " is " + now + " here and was " + before + " by " + other + (who >= COPY ? "" : " with nothing between that orders them");
    }

    private int last(int i, int bytes) {
        return (i + bytes - 1) >> granuleShift;
    }

    @Override void reading(Warp w, Op op, int lane, int i, int bytes) {
        long now = entry(w, lane);
        long[] mine = readers(w);
        for (int g = i >> granuleShift; g <= last(i, bytes); g++) {
            requireWritersOrdered(w, op, lane, g, "read");
            boolean others = mine[g] >>> WHO_BITS == now >>> WHO_BITS && who(mine[g]) != who(now);
            mine[g] = others ? now >>> WHO_BITS << WHO_BITS | SEVERAL_OF_WARP + w.index : now;
        }
    }

    private long[] readers(Warp w) {
        if (readers[w.index] == null) {
            readers[w.index] = new long[writer.length];
        }
        return readers[w.index];
    }

    @Override void writing(Warp w, Op op, int lane, int i, int bytes) {
        block.async.requireNotUsed(w, op, lane, i, bytes);
        long now = entry(w, lane);
        for (int g = i >> granuleShift; g <= last(i, bytes); g++) {
            requireOverwritable(w, op, lane, g, now);
            writer[g] = now;
            fences[g] = w.proxyFences;
        }
    }

    private void requireOverwritable(Warp w, Op op, int lane, int g, long now) {
        requireWritersOrdered(w, op, lane, g, "written");
        for (long[] r : readers) {
            if (r != null && unordered(r[g], w, now)) {
                throw w.fault(op, lane, race("written", g, "read", r[g]));
            }
        }
    }

    /// A bulk copy starts: until it lands its target counts as unwritten.
    void startCopy(Warp w, Op op, int lane, int i, int bytes) {
        block.async.requireNotUsed(w, op, lane, i, bytes);
        for (int g = i >> granuleShift; g <= last(i, bytes); g++) {
            requireOverwritable(w, op, lane, g, entry(w, lane));
        }
        Arrays.fill(written, i, i + bytes, (byte) 0);
    }

    /// A bulk copy has landed; whoever waits for the phase of the mbarrier sees it.
    void landCopy(Mbarriers.Mbarrier barrier, int i, int bytes) {
        Arrays.fill(written, i, i + bytes, (byte) 1);
        Arrays.fill(writer, i >> granuleShift, last(i, bytes) + 1, entry(barrier.phase() + 1, 0, COPY + barrier.number()));
    }

    /// Requires that wgmma may read these bytes from now on.
    void requireReadable(Warp w, Op op, int i, int bytes) {
        if (!isWritten(i, bytes)) {
            throw MemoryOps.unwritten(w, op, 0, this, i, bytes);
        }
        for (int g = i >> granuleShift; g <= last(i, bytes); g++) {
            requireWritersOrdered(w, op, 0, g, "read");
            int who = who(writer[g]);
            int warp = (who - 1) / Warp.LANES;
            if (who < COPY && fences[g] >= block.warp(warp).proxyFences) {
                throw w.fault(op, 0, "read of byte " + (g << granuleShift) + " of shared memory by wgmma: a fence.proxy.async must follow the write by thread " + (who - 1));
            }
        }
    }

    /// wgmma has read these bytes, for a warp that now knows it.
    void haveRead(Warp w, int i, int bytes) {
        Arrays.fill(readers(w), i >> granuleShift, last(i, bytes) + 1, entry(w.seen[w.index], w.barriers, SEVERAL_OF_WARP + w.index));
    }

    @Override String unwritten(int i, int bytes) {
        return block.async.copies.over(i, bytes).map(c -> "read of memory that the bulk copy of line " + c.line() + " may still be writing").orElse(super.unwritten(i, bytes));
    }
}
