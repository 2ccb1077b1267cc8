package dev.retrograd.cuda.emulator;

import java.util.Arrays;

/// Shared memory of a block, with a detector of races: two threads at one place between two barriers, at least one of them writing.
///
/// Threads of one warp are also ordered by `bar.warp.sync`. Remembered per granule are the last writer, and the last reader or that there
/// were several: an entry holds the block's barrier count (32 bits), the warp's (20) and who (12).
class SharedRegion extends Region {
    private static final int WHO = 0xFFF;
    private static final int SEVERAL_OF_WARP = 1025;
    private static final int SEVERAL = WHO;

    private final int granuleShift;
    private final long[] writer;
    private final long[] reader;

    /// @param granuleShift log2 of the bytes that the kernel's smallest access to shared memory has
    SharedRegion(int bytes, int granuleShift) {
        super("shared memory", 0, bytes);
        this.granuleShift = granuleShift;
        writer = new long[(bytes >> granuleShift) + 1];
        reader = new long[(bytes >> granuleShift) + 1];
    }

    /// As another block finds it.
    void clear() {
        Arrays.fill(written, (byte) 0);
        Arrays.fill(writer, 0);
        Arrays.fill(reader, 0);
    }

    private static long entry(Warp w, int who) {
        return (long) w.block.barriers << 32 | (w.barriers & 0xFFFFFL) << 12 | who;
    }

    private static int warpOf(int who) {
        return who >= SEVERAL_OF_WARP ? who - SEVERAL_OF_WARP : (who - 1) >> 5;
    }

    /// Whether the accesses of the entry and of `now` are by different threads and nothing orders them.
    private static boolean unordered(long entry, long now) {
        int who = (int) entry & WHO;
        if (who == 0 || entry >>> 32 != now >>> 32 || (entry & WHO) == (now & WHO)) {
            return false;
        }
        return who == SEVERAL || warpOf(who) != warpOf((int) now & WHO) || (entry >>> 12 & 0xFFFFF) == (now >>> 12 & 0xFFFFF);
    }

    @Override void reading(Warp w, Op op, int lane, int i, int bytes) {
        long now = entry(w, w.thread(lane) + 1);
        for (int g = i >> granuleShift; g <= (i + bytes - 1) >> granuleShift; g++) {
            if (unordered(writer[g], now)) {
                throw w.fault(op, lane, race("read", g, "written", writer[g]));
            }
            reader[g] = merged(reader[g], now);
        }
    }

    private static long merged(long old, long now) {
        int who = (int) old & WHO;
        if (who == 0 || old >>> 32 != now >>> 32 || (old & WHO) == (now & WHO)) {
            return now;
        }
        boolean sameWarp = who != SEVERAL && warpOf(who) == warpOf((int) now & WHO);
        return now & ~(long) WHO | (sameWarp ? SEVERAL_OF_WARP + warpOf(who) : SEVERAL);
    }

    @Override void writing(Warp w, Op op, int lane, int i, int bytes) {
        long now = entry(w, w.thread(lane) + 1);
        for (int g = i >> granuleShift; g <= (i + bytes - 1) >> granuleShift; g++) {
            if (unordered(writer[g], now)) {
                throw w.fault(op, lane, race("written", g, "written", writer[g]));
            }
            if (unordered(reader[g], now)) {
                throw w.fault(op, lane, race("written", g, "read", reader[g]));
            }
            writer[g] = now;
        }
    }

    private String race(String now, int granule, String before, long entry) {
        int who = (int) entry & WHO;
        String other = who == SEVERAL ? "several threads" : who >= SEVERAL_OF_WARP ? "several threads of warp " + warpOf(who) : "thread " + (who - 1);
        return "race in shared memory: byte " + (granule << granuleShift) + " is " + now + " here and was " + before + " by " + other + " with no barrier between";
    }
}
