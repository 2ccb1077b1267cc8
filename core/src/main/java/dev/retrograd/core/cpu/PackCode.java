package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Assembler.R10;
import static dev.retrograd.core.cpu.Assembler.R11;
import static dev.retrograd.core.cpu.Assembler.R12;
import static dev.retrograd.core.cpu.Assembler.R13;
import static dev.retrograd.core.cpu.Assembler.R8;
import static dev.retrograd.core.cpu.Assembler.R9;
import static dev.retrograd.core.cpu.Assembler.RAX;
import static dev.retrograd.core.cpu.Assembler.RCX;
import static dev.retrograd.core.cpu.Assembler.RDI;
import static dev.retrograd.core.cpu.Assembler.RDX;
import static dev.retrograd.core.cpu.Assembler.RSI;

import dev.retrograd.core.cpu.Assembler.At;

/// Machine code that packs operands; see [MachineCall] for its arguments.
final class PackCode {
    private static final int[] POINTERS = {RAX, R8, R9, R10};
    private static final int STRIDE = R12;
    private static final int THREE_STRIDES = R13;
    /// Floats that lines are read ahead by.
    private static final int AHEAD = 64;
    private static final int QUAD = 4;

    private final Assembler asm;
    private final int lanes;
    private final int vectorBytes;

    private PackCode(int bits) {
        asm = new Assembler(bits);
        lanes = bits / Float.SIZE;
        vectorBytes = bits / Byte.SIZE;
    }

    /// A number of blocks of `lanes` lines by `lanes` floats, one behind the other on the lines, transposed.
    ///
    /// Groups of four lanes of lines that are four apart are collected in a register while they are loaded; then four such registers are
    /// transposed within their groups.
    ///
    /// @param toStride from one line of the result to the next, in bytes
    static byte[] transpose(int bits, int toStride) {
        PackCode code = new PackCode(bits);
        code.writeTranspose(toStride);
        return code.asm.code();
    }

    /// Steps of whole panels, two vectors of each step to every panel.
    static byte[] spread(int bits) {
        PackCode code = new PackCode(bits);
        code.writeSpread();
        return code.asm.code();
    }

    private void writeTranspose(int toStride) {
        asm.entry();
        asm.push(STRIDE);
        asm.push(THREE_STRIDES);
        asm.load64(STRIDE, At.of(RDX, MachineCall.STRIDE));
        asm.address(THREE_STRIDES, new At(STRIDE, STRIDE, 2, 0));
        asm.addFrom(RCX, At.of(RDX, MachineCall.PANEL));
        asm.load64(R11, At.of(RDX, MachineCall.DEPTH));
        asm.address(RAX, new At(RDI, RSI, 1, 0));
        for (int i = 1; i < lanes / QUAD; i++) {
            asm.address(POINTERS[i], new At(POINTERS[i - 1], STRIDE, QUAD, 0));
        }
        asm.align();
        int next = asm.position();
        for (int i = 0; i < lanes; i++) {
            asm.prefetch(line(i, AHEAD));
        }
        for (int column = 0; column < lanes; column += QUAD) {
            transposeQuad(column, toStride);
        }
        for (int i = 0; i < lanes / QUAD; i++) {
            asm.addConstant(POINTERS[i], Float.BYTES * lanes);
        }
        asm.addConstant(RCX, lanes * toStride);
        asm.decrement(R11);
        asm.jumpNotZero(next);
        asm.zeroUpper();
        asm.pop(THREE_STRIDES);
        asm.pop(STRIDE);
        asm.leave();
    }

    /// Four columns; every second four use other registers, so that none waits.
    private void transposeQuad(int column, int toStride) {
        int z = 2 * column % 16;
        for (int i = 0; i < QUAD; i++) {
            asm.loadQuad(z + i, line(i, column));
            for (int group = 1; group < lanes / QUAD; group++) {
                asm.insertQuad(z + i, line(QUAD * group + i, column), group);
            }
        }
        int t = z + QUAD;
        asm.interleave(t, z, z + 1, false);
        asm.interleave(t + 1, z + 2, z + 3, false);
        asm.interleave(t + 2, z, z + 1, true);
        asm.interleave(t + 3, z + 2, z + 3, true);
        for (int i = 0; i < QUAD; i++) {
            asm.interleavePairs(z + i, t + (i & 2), t + (i & 2) + 1, (i & 1) != 0);
            asm.store(z + i, At.of(RCX, (column + i) * toStride));
        }
    }

    private static At line(int i, int column) {
        int pointer = POINTERS[i / QUAD];
        int offset = Float.BYTES * column;
        return switch (i % QUAD) {
            case 0 -> At.of(pointer, offset);
            case 3 -> new At(pointer, THREE_STRIDES, 1, offset);
            default -> new At(pointer, STRIDE, i % QUAD, offset);
        };
    }

    private void writeSpread() {
        asm.entry();
        asm.addRegister(RDI, RSI);
        asm.addFrom(RCX, At.of(RDX, MachineCall.PANEL));
        asm.load64(R8, At.of(RDX, MachineCall.STRIDE));
        asm.load64(R9, At.of(RDX, MachineCall.PANEL_BYTES));
        asm.load64(R11, At.of(RDX, MachineCall.DEPTH));
        int nextStep = asm.position();
        asm.move(RSI, RDI);
        asm.move(RAX, RCX);
        asm.load64(R10, At.of(RDX, MachineCall.TILES));
        asm.align();
        int nextPanel = asm.position();
        for (int v = 0; v < 2; v++) {
            asm.load(v, At.of(RSI, v * vectorBytes));
            asm.prefetch(new At(RSI, R8, QUAD, v * vectorBytes));
            asm.store(v, At.of(RAX, v * vectorBytes));
        }
        asm.addConstant(RSI, 2 * vectorBytes);
        asm.addRegister(RAX, R9);
        asm.decrement(R10);
        asm.jumpNotZero(nextPanel);
        asm.addRegister(RDI, R8);
        asm.addConstant(RCX, 2 * vectorBytes);
        asm.decrement(R11);
        asm.jumpNotZero(nextStep);
        asm.zeroUpper();
        asm.leave();
    }
}
