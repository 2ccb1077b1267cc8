package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.MemoryOps.Place;
import dev.retrograd.cuda.emulator.MemoryOps.Space;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// `cp.async`: copies from global to shared memory that land when they are waited for. Until then their target counts as unwritten, so that
/// whoever reads too early is found. One of these per warp. Source: NVIDIA's PTX ISA, 9.7.9, cp.async.
final class AsyncCopies {
    /// A copy under way.
    ///
    /// @param group number of the lane's group that it belongs to
    private record Copy(int lane, int at, byte[] bytes, int group) {
    }

    private final List<Copy> pending = new ArrayList<>();
    /// groups that each lane has closed
    private final int[] groups = new int[Warp.LANES];

    void clear() {
        pending.clear();
        Arrays.fill(groups, 0);
    }

    private void land(Warp w, Op op, int mask, int groupsLeft) {
        SharedRegion shared = w.block.shared;
        pending.removeIf(c -> {
            boolean lands = (mask >>> c.lane & 1) != 0 && (groupsLeft < 0 || c.group < groups[c.lane] - groupsLeft);
            if (lands) {
                shared.writing(w, op, c.lane, c.at, c.bytes.length);
                System.arraycopy(c.bytes, 0, shared.data, c.at, c.bytes.length);
                shared.markWritten(c.at, c.bytes.length);
            }
            return lands;
        });
    }

    /// Starts a copy per lane; what the source size leaves over becomes zero.
    static final class Start extends Op {
        private final Place target;
        private final Place source;
        private final int bytes;
        private final int sourceBytes;

        /// @param sourceBytes slot of the number of bytes that are read
        Start(Place target, Place source, int bytes, int sourceBytes) {
            this.target = target;
            this.source = source;
            this.bytes = bytes;
            this.sourceBytes = sourceBytes;
        }

        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                byte[] data = new byte[bytes];
                int count = w.r[sourceBytes + l];
                if (count > 0) {
                    long from = source.address(w, l);
                    if ((from & bytes - 1) != 0) {
                        throw w.fault(this, l, "misaligned address: " + bytes + " bytes at 0x" + Long.toHexString(from));
                    }
                    int piece = Integer.lowestOneBit(count);
                    for (int i = 0; i < count; i += piece) {
                        Region region = MemoryOps.region(w, this, l, Space.GLOBAL, from + i, piece, false);
                        int at = MemoryOps.at(region, Space.GLOBAL, from + i);
                        if (!region.isWritten(at, piece)) {
                            throw MemoryOps.unwritten(w, this, l, region, at, piece);
                        }
                        System.arraycopy(region.data, at, data, i, piece);
                    }
                }
                long to = target.address(w, l);
                Region shared = MemoryOps.region(w, this, l, Space.SHARED, to, bytes, true);
                shared.writing(w, this, l, (int) to, bytes);
                Arrays.fill(shared.written, (int) to, (int) to + bytes, (byte) 0);
                w.copies.pending.add(new Copy(l, (int) to, data, w.copies.groups[l]));
            }
        }
    }

    /// `cp.async.commit_group`: closes each lane's group.
    static final class Commit extends Op {
        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                w.copies.groups[Integer.numberOfTrailingZeros(m)]++;
            }
        }
    }

    /// `cp.async.wait_group`: all but the last few groups have landed; with −1, everything (`wait_all`).
    static final class Wait extends Op {
        private final int groupsLeft;

        Wait(int groupsLeft) {
            this.groupsLeft = groupsLeft;
        }

        @Override void run(Warp w, int mask) {
            w.copies.land(w, this, mask, groupsLeft);
        }
    }
}
