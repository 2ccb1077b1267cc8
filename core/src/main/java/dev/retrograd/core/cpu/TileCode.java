package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Assembler.R10;
import static dev.retrograd.core.cpu.Assembler.R11;
import static dev.retrograd.core.cpu.Assembler.R12;
import static dev.retrograd.core.cpu.Assembler.R13;
import static dev.retrograd.core.cpu.Assembler.R14;
import static dev.retrograd.core.cpu.Assembler.R15;
import static dev.retrograd.core.cpu.Assembler.R8;
import static dev.retrograd.core.cpu.Assembler.R9;
import static dev.retrograd.core.cpu.Assembler.RAX;
import static dev.retrograd.core.cpu.Assembler.RBX;
import static dev.retrograd.core.cpu.Assembler.RCX;
import static dev.retrograd.core.cpu.Assembler.RDI;
import static dev.retrograd.core.cpu.Assembler.RDX;
import static dev.retrograd.core.cpu.Assembler.RSI;

import dev.retrograd.core.cpu.Assembler.At;
import java.util.function.IntConsumer;

/// Machine code of [MicroKernel]'s tiles for a number of rows; see [MachineCall] for its arguments.
///
/// What it does that compiled vectors cannot: it reads ahead, adds a finished tile to the result from the registers that it was summed
/// in, reads the left operand's rows where they lie, and has a version for every number of rows. The order of operations on each float
/// is the same, so are the bits.
final class TileCode {

    /// What a piece of code does with its tiles.
    enum Kind {
        /// A row of whole tiles, to the result.
        STRIP(2, false),
        /// One tile of one vector and a part of one, to the result.
        TWO_VECTORS(2, true),
        /// One tile of at most one vector, to the result.
        ONE_VECTOR(1, true),
        /// Tiles of one panel below each other, to scratch memory.
        SCRATCH(2, false),
        /// As [#SCRATCH], the sums beginning with what is there.
        SCRATCH_ADD(2, false),
        /// As [#SCRATCH], of each row the first vector only.
        SCRATCH_NARROW(1, false),
        /// As [#SCRATCH_ADD], of each row the first vector only.
        SCRATCH_ADD_NARROW(1, false);

        private final int vectors;
        private final boolean masked;

        Kind(int vectors, boolean masked) {
            this.vectors = vectors;
            this.masked = masked;
        }

        private boolean scratch() {
            return this != STRIP && !masked;
        }

        private boolean adds() {
            return this == SCRATCH_ADD || this == SCRATCH_ADD_NARROW;
        }
    }

    /// How the left operand lies in memory.
    enum Left {
        /// A row's depth is contiguous, rows are a stride apart.
        ROWS,
        /// A step's rows are contiguous, steps are a stride apart.
        STEPS
    }

    /// Rows of the next tile that are read ahead during one of this.
    static final int ROWS_AHEAD = 3;
    /// Rows that share a pointer: at 0, 1 and 2 strides from it.
    private static final int ROWS_PER_POINTER = 3;
    private static final int[] POINTERS = {RAX, RBX, R14, R15};
    private static final int STRIDE = R12;
    private static final int NEXT = R13;
    private static final int[] SAVED = {RBX, R12, R13, R14, R15};

    /// From row to row in scratch memory.
    private static final int SCRATCH_VECTORS = 2;
    private static final int UNROLL = 8;
    /// Steps of depth that a panel is read ahead by.
    private static final int AHEAD = 16;
    private static final int MASK = 1;

    private final Assembler asm;
    private final int vectorBytes;
    private final int rows;
    private final Kind kind;
    private final Left layout;
    private final int vectors;
    /// The registers behind the sums.
    private final int right;
    private final int left;

    private TileCode(int bits, int rows, Kind kind, Left layout) {
        asm = new Assembler(bits);
        vectorBytes = bits / Byte.SIZE;
        this.rows = rows;
        this.kind = kind;
        this.layout = layout;
        vectors = kind.vectors;
        right = rows * vectors;
        left = right + 2;
    }

    /// @param bits of a vector
    /// @param rows 1 to 12 with 512 bits, 1 to 6 with 256
    static byte[] of(int bits, int rows, Kind kind, Left layout) {
        TileCode code = new TileCode(bits, rows, kind, layout);
        code.write();
        return code.asm.code();
    }

    private void write() {
        asm.entry();
        for (int register : SAVED) {
            asm.push(register);
        }
        asm.addRegister(RDI, RSI);
        asm.addFrom(RCX, At.of(RDX, MachineCall.SCRATCH));
        asm.load64(R11, At.of(RDX, MachineCall.PANEL));
        asm.load64(R8, At.of(RDX, MachineCall.SHIFT));
        asm.load64(STRIDE, At.of(RDX, MachineCall.STRIDE));
        asm.load64(NEXT, At.of(RDX, MachineCall.NEXT));
        if (kind.masked) {
            asm.load32(RAX, At.of(RDX, MachineCall.LANES));
            asm.mask(MASK, RAX);
        }
        if (kind.masked) {
            tile();
        } else {
            asm.load64(R9, At.of(RDX, MachineCall.TILES));
            asm.align();
            int next = asm.position();
            tile();
            advance();
            asm.decrement(R9);
            asm.jumpNotZero(next);
        }
        asm.zeroUpper();
        for (int i = SAVED.length - 1; i >= 0; i--) {
            asm.pop(SAVED[i]);
        }
        asm.leave();
    }

    /// To the next tile: of a strip the next panel, in scratch the rows below.
    private void advance() {
        if (kind == Kind.STRIP) {
            asm.addFrom(R11, At.of(RDX, MachineCall.PANEL_BYTES));
            asm.addConstant(R8, vectors * vectorBytes);
        } else {
            asm.addConstant(RCX, rows * SCRATCH_VECTORS * vectorBytes);
            if (layout == Left.STEPS) {
                asm.addConstant(RDI, rows * Float.BYTES);
            } else {
                for (int r = 0; r < rows; r++) {
                    asm.addRegister(RDI, STRIDE);
                }
            }
        }
    }

    private void tile() {
        if (!kind.scratch()) {
            forEachRow(r -> {
                for (int v = 0; v < vectors; v++) {
                    asm.prefetchWrite(At.of(R10, v * vectorBytes));
                }
            });
        }
        for (int i = 0; i < rows * vectors; i++) {
            if (kind.adds()) {
                asm.load(i, scratch(i));
            } else {
                asm.zero(i);
            }
        }
        asm.move(RAX, RDI);
        for (int i = 1; i < pointers(); i++) {
            asm.address(POINTERS[i], new At(POINTERS[i - 1], STRIDE, 2, 0));
            asm.addRegister(POINTERS[i], STRIDE);
        }
        asm.move(RSI, R11);
        asm.load64(R10, At.of(RDX, MachineCall.DEPTH));
        asm.shiftRight(R10, Integer.numberOfTrailingZeros(UNROLL));
        loop(UNROLL);
        asm.load64(R10, At.of(RDX, MachineCall.DEPTH));
        asm.andConstant(R10, UNROLL - 1);
        loop(1);
        if (kind.scratch()) {
            for (int i = 0; i < rows * vectors; i++) {
                asm.store(i, scratch(i));
            }
            return;
        }
        update();
        // NEXT has come the depth far: back, and on to other rows.
        asm.load64(RSI, At.of(RDX, MachineCall.NEXT_ROWS));
        asm.addRegister(NEXT, RSI);
    }

    private At scratch(int sum) {
        return At.of(RCX, (sum / vectors * SCRATCH_VECTORS + sum % vectors) * vectorBytes);
    }

    private int pointers() {
        return layout == Left.STEPS ? 1 : (rows + ROWS_PER_POINTER - 1) / ROWS_PER_POINTER;
    }

    /// As many rounds of `steps` steps as r10 says.
    private void loop(int steps) {
        asm.test(R10);
        int skip = asm.jumpAheadIfZero();
        int next = asm.position();
        for (int step = 0; step < steps; step++) {
            step(step);
            if (!kind.scratch() && steps > 1 && step < ROWS_AHEAD) {
                asm.prefetchSecond(step == 0 ? At.of(NEXT, 0) : new At(NEXT, STRIDE, step, 0));
            }
        }
        if (layout == Left.ROWS) {
            for (int i = 0; i < pointers(); i++) {
                asm.addConstant(POINTERS[i], Float.BYTES * steps);
            }
            asm.addConstant(NEXT, Float.BYTES * steps);
        }
        asm.addConstant(RSI, 2 * vectorBytes * steps);
        asm.decrement(R10);
        asm.jumpNotZero(next);
        asm.land(skip);
    }

    private void step(int step) {
        for (int v = 0; v < vectors; v++) {
            asm.load(right + v, At.of(RSI, (2 * step + v) * vectorBytes));
        }
        for (int v = 0; v < vectors; v++) {
            asm.prefetch(At.of(RSI, (2 * (step + AHEAD) + v) * vectorBytes));
        }
        for (int r = 0; r < rows; r++) {
            int factor = left + r % 2;
            asm.broadcast(factor, layout == Left.STEPS ? At.of(RAX, Float.BYTES * r) : row(r).plus(Float.BYTES * step));
            for (int v = 0; v < vectors; v++) {
                asm.multiplyAdd(r * vectors + v, factor, right + v);
            }
        }
        if (layout == Left.STEPS) {
            asm.addRegister(RAX, STRIDE);
        }
    }

    private static At row(int r) {
        int pointer = POINTERS[r / ROWS_PER_POINTER];
        int strides = r % ROWS_PER_POINTER;
        return strides == 0 ? At.of(pointer, 0) : new At(pointer, STRIDE, strides, 0);
    }

    /// `C = alpha·tile + bias (+ C)`
    private void update() {
        asm.broadcast(left, At.of(RDX, MachineCall.ALPHA));
        asm.load64(RAX, At.of(RDX, MachineCall.BIAS));
        for (int v = 0; v < vectors; v++) {
            asm.zero(right + v);
        }
        asm.test(RAX);
        int unbiased = asm.jumpAheadIfZero();
        asm.addRegister(RAX, R8);
        for (int v = 0; v < vectors; v++) {
            read(right + v, v, RAX);
        }
        asm.land(unbiased);
        for (int i = 0; i < rows * vectors; i++) {
            asm.scaleAdd(i, left, right + i % vectors);
        }
        asm.load32(RAX, At.of(RDX, MachineCall.ADD));
        asm.test(RAX);
        int overwrite = asm.jumpAheadIfZero();
        forEachRow(r -> {
            for (int v = 0; v < vectors; v++) {
                read(right, v, R10);
                asm.add(r * vectors + v, r * vectors + v, right);
                put(r * vectors + v, v);
            }
        });
        int done = asm.jumpAhead();
        asm.land(overwrite);
        forEachRow(r -> {
            for (int v = 0; v < vectors; v++) {
                put(r * vectors + v, v);
            }
        });
        asm.land(done);
    }

    private void put(int register, int v) {
        if (kind.masked && v == vectors - 1) {
            asm.storeMasked(register, At.of(R10, v * vectorBytes), MASK);
        } else {
            asm.store(register, At.of(R10, v * vectorBytes));
        }
    }

    private void read(int register, int v, int base) {
        if (kind.masked && v == vectors - 1) {
            asm.loadMasked(register, At.of(base, v * vectorBytes), MASK);
        } else {
            asm.load(register, At.of(base, v * vectorBytes));
        }
    }

    /// Runs `body` with r10 at the first column of each row of the result.
    private void forEachRow(IntConsumer body) {
        for (int r = 0; r < rows; r++) {
            asm.load64(R10, At.of(RDX, MachineCall.ROWS + 8 * r));
            asm.addRegister(R10, R8);
            body.accept(r);
        }
    }
}
