package dev.retrograd.cuda.emulator;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.emulator.LaneOps.PredicateOperand;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A warp's part in `wgmma`, products of four warps: 16 of the 64 rows of each. They run as late as the program lets them, when it waits for their group;
/// until then nobody may overwrite their operands or touch their sums. Source: NVIDIA's PTX ISA, 9.7.15, wgmma.
final class WarpGroups {
    private static final int WARPS = 4;
    private static final int ROWS = 16;
    private static final int K = 16;

    /// A product that was asked for.
    ///
    /// @param left null where the left operand is in registers
    private record Product(MultiplyAsync op, MatrixDescriptor left, MatrixDescriptor right, boolean adds) {
    }

    private final List<Product> open = new ArrayList<>();
    private final Deque<List<Product>> groups = new ArrayDeque<>();
    /// products under way by the slots of their sums
    private final Map<Integer, MultiplyAsync> sums = new HashMap<>();
    /// and by those of their left operands
    private final Map<Integer, MultiplyAsync> lefts = new HashMap<>();
    /// slots that an ordinary instruction touched since the last fence
    private final Map<Integer, Op> touched = new HashMap<>();
    private boolean fenced;
    private int issued;

    void clear() {
        open.clear();
        groups.clear();
        sums.clear();
        lefts.clear();
        touched.clear();
        fenced = false;
        issued = 0;
    }

    boolean idle() {
        return open.isEmpty() && groups.isEmpty();
    }

    int issued() {
        return issued;
    }

    /// A product under way that reads some of these bytes.
    MultiplyAsync reading(int i, int bytes) {
        for (Product p : open) {
            if (p.op.reads(p, i, bytes)) {
                return p.op;
            }
        }
        for (List<Product> group : groups) {
            for (Product p : group) {
                if (p.op.reads(p, i, bytes)) {
                    return p.op;
                }
            }
        }
        return null;
    }

    private void requireFree(Warp w, Op op, int lane, int slot, Map<Integer, MultiplyAsync> used, String how) {
        MultiplyAsync under = used.get(slot);
        if (under != null) {
            throw w.fault(op, lane, "a register that the wgmma of line " + under.line + " " + how + " is used before a wgmma.wait_group");
        }
    }

    /// `wgmma.fence`: orders what was done to registers before products that follow.
    static final class Fence extends Op {
        @Override void run(Warp w, int mask) {
            w.requireMembers(this, Warp.ALL, mask);
            w.groups.fenced = true;
            w.groups.touched.clear();
        }
    }

    static final class Commit extends Op {
        @Override void run(Warp w, int mask) {
            w.requireMembers(this, Warp.ALL, mask);
            w.groups.groups.add(List.copyOf(w.groups.open));
            w.groups.open.clear();
        }
    }

    /// All but the last few groups are complete.
    static final class Wait extends Op {
        private final int groupsLeft;

        Wait(int groupsLeft) {
            this.groupsLeft = groupsLeft;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, Warp.ALL, mask);
            while (w.groups.groups.size() > groupsLeft) {
                w.groups.groups.poll().forEach(p -> p.op.complete(w, p));
            }
            for (List<Product> group : w.groups.groups) {
                group.forEach(p -> p.op.hold(w));
            }
            w.groups.open.forEach(p -> p.op.hold(w));
            w.barriers++;
        }
    }

    /// An ordinary instruction on registers that wgmma sums in or reads.
    static final class Guarded extends Op {
        private final Op inner;
        private final int[] slots;

        Guarded(Op inner, int[] slots) {
            this.inner = inner;
            this.slots = slots;
        }

        @Override void run(Warp w, int mask) {
            inner.line = line;
            for (int slot : slots) {
                w.groups.requireFree(w, this, Integer.numberOfTrailingZeros(mask), slot, w.groups.sums, "sums in");
                w.groups.requireFree(w, this, Integer.numberOfTrailingZeros(mask), slot, w.groups.lefts, "reads");
                w.groups.touched.put(slot, this);
            }
            inner.run(w, mask);
        }
    }

    /// `wgmma.mma_async.m64nNk16` of bf16 or f16, the right operand in shared memory, the left one there or in registers.
    static final class MultiplyAsync extends Op implements Asynchronous {
        private final boolean bf16;
        private final int[] d;
        private final int left;
        private final int[] registers;
        private final int right;
        private final PredicateOperand adds;
        private final boolean leftRowFirst;
        private final boolean rightRowFirst;

        /// @param d slots of the sums
        /// @param left slot of a descriptor; not read where the operand is in registers
        /// @param registers slots of the left operand's four registers, or none
        /// @param adds whether the sums are added to what their registers hold
        /// @param leftRowFirst whether m and not k runs fastest
        MultiplyAsync(boolean bf16, int[] d, int left, int[] registers, int right, PredicateOperand adds, boolean leftRowFirst, boolean rightRowFirst) {
            this.bf16 = bf16;
            this.d = d;
            this.left = left;
            this.registers = registers;
            this.right = right;
            this.adds = adds;
            this.leftRowFirst = leftRowFirst;
            this.rightRowFirst = rightRowFirst;
        }

        private int columns() {
            return 2 * d.length;
        }

        private boolean inShared() {
            return registers.length == 0;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, Warp.ALL, mask);
            for (int l = 1; l < Warp.LANES; l++) {
                if (inShared() && w.q[left + l] != w.q[left] || w.q[right + l] != w.q[right]) {
                    throw w.fault(this, l, "all lanes must give the same matrix descriptors");
                }
            }
            int which = adds.value(w);
            if (which != 0 && which != Warp.ALL) {
                throw w.fault(this, 0, "all lanes must give the same scale of the sums");
            }
            WarpGroups g = w.groups;
            for (int slot : d) {
                requireFenced(w, slot);
                g.requireFree(w, this, 0, slot, g.lefts, "reads");
            }
            for (int slot : registers) {
                requireFenced(w, slot);
                g.requireFree(w, this, 0, slot, g.sums, "sums in");
            }
            w.block.async.requireSameProduct(w, this, g.issued++, line * 31L + (inShared() ? w.q[left] * 37 : 0) + w.q[right]);
            Product p = new Product(this, inShared() ? MatrixDescriptor.of(w, this, w.q[left]) : null, MatrixDescriptor.of(w, this, w.q[right]), which != 0);
            if (inShared()) {
                pieces(p.left, leftRowFirst, firstRow(w), ROWS, at -> requireReadable(w, at));
            }
            pieces(p.right, rightRowFirst, 0, columns(), at -> requireReadable(w, at));
            g.open.add(p);
            hold(w);
        }

        private void requireFenced(Warp w, int slot) {
            Op by = w.groups.touched.get(slot);
            if (!w.groups.fenced || by != null) {
                throw w.fault(this, 0, "a wgmma.fence must precede the first wgmma and follow other uses of its registers" + (by == null ? "" : ", such as line " + by.line));
            }
        }

        private void requireReadable(Warp w, int at) {
            OrderedRegion shared = w.block.async.shared();
            if (!shared.holds(at, MatrixDescriptor.PIECE)) {
                throw w.fault(this, 0, "out of bounds: wgmma reads byte " + at + " of shared memory of " + shared.data.length + " bytes");
            }
            shared.requireReadable(w, this, at, MatrixDescriptor.PIECE);
        }

        private static int firstRow(Warp w) {
            return w.index % WARPS * ROWS;
        }

        private void hold(Warp w) {
            for (int slot : d) {
                w.groups.sums.put(slot, this);
            }
            for (int slot : registers) {
                w.groups.lefts.put(slot, this);
            }
        }

        private interface Piece {
            void at(int address);
        }

        private static void pieces(MatrixDescriptor m, boolean rowFirst, int first, int rows, Piece piece) {
            for (int r = first; r < first + rows; r += rowFirst ? MatrixDescriptor.ELEMENTS : 1) {
                for (int k = 0; k < K; k += rowFirst ? 1 : MatrixDescriptor.ELEMENTS) {
                    piece.at(m.piece(rowFirst, r, k));
                }
            }
        }

        /// Whether the product reads some of these bytes: told by where its operands' first and last pieces lie.
        private boolean reads(Product p, int i, int bytes) {
            return inShared() && over(p.left, leftRowFirst, WARPS * ROWS, i, bytes) || over(p.right, rightRowFirst, columns(), i, bytes);
        }

        private static boolean over(MatrixDescriptor m, boolean rowFirst, int rows, int i, int bytes) {
            int[] bounds = {Integer.MAX_VALUE, 0};
            pieces(m, rowFirst, 0, rows, at -> {
                bounds[0] = Math.min(bounds[0], at);
                bounds[1] = Math.max(bounds[1], at + MatrixDescriptor.PIECE);
            });
            return i < bounds[1] && bounds[0] < i + bytes;
        }

        private void complete(Warp w, Product p) {
            float[] a = inShared() ? read(w, p.left, leftRowFirst, firstRow(w), ROWS) : fromRegisters(w);
            float[] b = read(w, p.right, rightRowFirst, 0, columns());
            for (int i = 0; i < d.length; i++) {
                w.groups.sums.remove(d[i]);
                for (int lane = 0; lane < Warp.LANES; lane++) {
                    int row = (lane / 4 + i / 2 % 2 * 8) * K;
                    int column = (i / 4 * 8 + lane % 4 * 2 + i % 2) * K;
                    double sum = p.adds ? Float.intBitsToFloat(w.r[d[i] + lane]) : 0;
                    for (int k = 0; k < K; k++) {
                        sum += (double) a[row + k] * b[column + k];
                    }
                    w.r[d[i] + lane] = Float.floatToRawIntBits((float) sum);
                }
            }
        }

        /// The warp's 16 rows of the left operand: a register has two of k, registers go down the rows first, then along k.
        private float[] fromRegisters(Warp w) {
            float[] matrix = new float[ROWS * K];
            for (int i = 0; i < registers.length; i++) {
                w.groups.lefts.remove(registers[i]);
                for (int lane = 0; lane < Warp.LANES; lane++) {
                    int bits = w.r[registers[i] + lane];
                    int at = (lane / 4 + i % 2 * 8) * K + i / 2 * 8 + lane % 4 * 2;
                    matrix[at] = value((short) bits);
                    matrix[at + 1] = value((short) (bits >>> 16));
                }
            }
            return matrix;
        }

        private float value(short bits) {
            return bf16 ? DType.bf16ToFloat(bits) : Float.float16ToFloat(bits);
        }

        /// An operand's rows, 16 of k each.
        private float[] read(Warp w, MatrixDescriptor m, boolean rowFirst, int first, int rows) {
            float[] matrix = new float[rows * K];
            OrderedRegion shared = w.block.async.shared();
            for (int r = 0; r < rows; r += rowFirst ? MatrixDescriptor.ELEMENTS : 1) {
                for (int k = 0; k < K; k += rowFirst ? 1 : MatrixDescriptor.ELEMENTS) {
                    int at = m.piece(rowFirst, first + r, k);
                    shared.haveRead(w, at, MatrixDescriptor.PIECE);
                    for (int e = 0; e < MatrixDescriptor.ELEMENTS; e++) {
                        matrix[rowFirst ? (r + e) * K + k : r * K + k + e] = value((short) shared.get(at + 2 * e, 2));
                    }
                }
            }
            return matrix;
        }
    }
}
