package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.TensorMap;
import dev.retrograd.cuda.emulator.MemoryOps.Place;
import dev.retrograd.cuda.emulator.MemoryOps.Space;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// `cp.async.bulk.tensor`: boxes of tensors on their way to shared memory. They land as late as the program lets them, when no warp can go on, in one block the
/// last one first, in the next the first one, since nothing but their mbarriers promises an order. Source: NVIDIA's PTX ISA, 9.7.9.27, and 5.5 on tensors.
final class BulkCopies {
    private static final int TARGET_ALIGNMENT = 128;
    private static final int PIECE = 16;

    /// A copy under way.
    ///
    /// @param corner coordinates of the box's first element, innermost first
    record Copy(Warp warp, Op op, int lane, TensorMap map, int[] corner, int at, Mbarriers.Mbarrier barrier) {
        int line() {
            return op.line;
        }

        private boolean over(int i, int bytes) {
            return at < i + bytes && i < at + map.boxBytes();
        }
    }

    private final List<Copy> pending = new ArrayList<>();

    void clear() {
        pending.clear();
    }

    boolean idle() {
        return pending.isEmpty();
    }

    /// A copy that is still writing some of these bytes.
    Optional<Copy> over(int i, int bytes) {
        return pending.stream().filter(c -> c.over(i, bytes)).findFirst();
    }

    /// @throws KernelFault if copies are under way when their block ends
    void requireIdle() {
        for (Copy c : pending) {
            throw c.warp.fault(c.op, c.lane, "the block ended while this bulk copy was under way: " + c.barrier);
        }
    }

    /// Lets a copy land.
    ///
    /// @param last whether that is the one that was asked for last, or first
    void landOne(OrderedRegion shared, boolean last) {
        Copy c = last ? pending.removeLast() : pending.removeFirst();
        int[] index = new int[c.map.box().length];
        int rowBytes = c.map.box()[0] * c.map.type().bytes();
        int rows = c.map.boxBytes() / rowBytes;
        byte[] row = new byte[rowBytes];
        for (int r = 0; r < rows; r++) {
            fetchRow(c, index, row);
            for (int b = 0; b < rowBytes; b += PIECE) {
                System.arraycopy(row, b, shared.data, (int) c.map.swizzle().place(c.at + r * rowBytes + b), PIECE);
            }
            for (int axis = 1; axis < index.length && ++index[axis] == c.map.box()[axis]; axis++) {
                index[axis] = 0;
            }
        }
        shared.landCopy(c.barrier, c.at, rows * rowBytes);
        c.barrier.complete(rows * rowBytes);
    }

    /// Reads a row of a box; what lies outside of the tensor becomes zeros.
    private static void fetchRow(Copy c, int[] index, byte[] row) {
        Arrays.fill(row, (byte) 0);
        long from = c.map.address();
        for (int axis = 1; axis < index.length; axis++) {
            long i = c.corner[axis] + (long) index[axis] * c.map.steps()[axis];
            if (i < 0 || i >= c.map.sizes()[axis]) {
                return;
            }
            from += i * c.map.strides()[axis - 1];
        }
        int bytes = c.map.type().bytes();
        int begin = Math.max(0, -c.corner[0]);
        int end = (int) Math.min(c.map.box()[0], c.map.sizes()[0] - c.corner[0]);
        if (begin >= end) {
            return;
        }
        from += ((long) c.corner[0] + begin) * bytes;
        int length = (end - begin) * bytes;
        Region source = c.warp.block.memory.find(from, length);
        if (source == null) {
            throw c.warp.fault(c.op, c.lane, "out of bounds: read of " + length + " bytes at 0x" + Long.toHexString(from) + " of global memory by a tensor map, " + c.warp.block.memory.near(from));
        }
        int at = (int) (from - source.base);
        for (int i = at; i < at + length; i++) {
            if (source.written[i] == 0) {
                throw MemoryOps.unwritten(c.warp, c.op, c.lane, source, i, 1);
            }
        }
        System.arraycopy(source.data, at, row, begin * bytes, length);
    }

    /// Starts a copy for each lane.
    static final class Start extends Op implements Asynchronous {
        private final Place target;
        private final Place map;
        private final int[] corner;
        private final Place barrier;

        Start(Place target, Place map, int[] corner, Place barrier) {
            this.target = target;
            this.map = map;
            this.corner = corner;
            this.barrier = barrier;
        }

        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                start(w, Integer.numberOfTrailingZeros(m));
            }
        }

        private void start(Warp w, int lane) {
            long at = map.address(w, lane) - (map.space() == Space.GENERIC ? MemoryOps.PARAM_WINDOW : 0);
            TensorMap tensor = EncodedMap.read(w.block.arguments, at);
            if (tensor == null || at % TensorMap.ALIGNMENT != 0) {
                throw w.fault(this, lane, "a tensor map, at a multiple of 64 bytes of the arguments, is required, got what lies at byte " + at);
            }
            if (tensor.sizes().length != corner.length) {
                throw w.fault(this, lane, "a tensor map of " + corner.length + " axes is required, got one of " + tensor.sizes().length);
            }
            long to = target.address(w, lane);
            if (to % TARGET_ALIGNMENT != 0) {
                throw w.fault(this, lane, "misaligned address: a bulk copy's target must be a multiple of 128, got byte " + to);
            }
            OrderedRegion shared = w.block.async.shared();
            if (!shared.holds(to, tensor.boxBytes())) {
                throw w.fault(this, lane, "out of bounds: bulk copy of " + tensor.boxBytes() + " bytes to byte " + to + " of shared memory of " + shared.data.length + " bytes");
            }
            Mbarriers.Mbarrier b = w.block.async.mbarriers.at(w, this, lane, barrier, true);
            shared.startCopy(w, this, lane, (int) to, tensor.boxBytes());
            int[] first = new int[corner.length];
            Arrays.setAll(first, i -> w.r[corner[i] + lane]);
            w.block.async.copies.pending.add(new Copy(w, this, lane, tensor, first, (int) to, b));
        }
    }
}
