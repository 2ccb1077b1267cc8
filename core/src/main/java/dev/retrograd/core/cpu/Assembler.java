package dev.retrograd.core.cpu;

import java.util.Arrays;

/// Writes the x86-64 instructions that matrix products need, for one vector width.
///
/// 512-bit instructions are encoded with EVEX, narrower ones with VEX, so that the latter run on processors without AVX-512. General
/// registers are numbered as the processor does (0 rax, 1 rcx, 2 rdx, 3 rbx, 6 rsi, 7 rdi, 8 … 15), vector registers from 0.
///
/// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapters 2 to 5.
final class Assembler {
    static final int RAX = 0;
    static final int RCX = 1;
    static final int RDX = 2;
    static final int RBX = 3;
    static final int RSI = 6;
    static final int RDI = 7;
    static final int R8 = 8;
    static final int R9 = 9;
    static final int R10 = 10;
    static final int R11 = 11;
    static final int R12 = 12;
    static final int R13 = 13;
    static final int R14 = 14;
    static final int R15 = 15;

    /// A place in memory: `base + scale·index + offset`; scale 0 without an index.
    record At(int base, int index, int scale, int offset) {
        static At of(int base, int offset) {
            return new At(base, 0, 0, offset);
        }

        At plus(int bytes) {
            return new At(base, index, scale, offset + bytes);
        }
    }

    private enum Prefix { NONE, X66 }

    private enum Map { NONE, X0F, X0F38, X0F3A }

    /// @param w bit W, which tells pairs of instructions apart
    private record Op(Map map, Prefix prefix, int code, int w) {
        Op(Map map, Prefix prefix, int code) {
            this(map, prefix, code, 0);
        }
    }

    private static final Op LOAD = new Op(Map.X0F, Prefix.NONE, 0x10);
    private static final Op STORE = new Op(Map.X0F, Prefix.NONE, 0x11);
    private static final Op BROADCAST = new Op(Map.X0F38, Prefix.X66, 0x18);
    private static final Op INSERT = new Op(Map.X0F3A, Prefix.X66, 0x18);
    private static final Op ADD = new Op(Map.X0F, Prefix.NONE, 0x58);
    private static final Op XOR = new Op(Map.X0F, Prefix.NONE, 0x57);
    private static final Op XOR_INTS = new Op(Map.X0F, Prefix.X66, 0xEF);
    private static final Op FMA_231 = new Op(Map.X0F38, Prefix.X66, 0xB8);
    private static final Op FMA_213 = new Op(Map.X0F38, Prefix.X66, 0xA8);
    private static final Op UNPACK_LOW = new Op(Map.X0F, Prefix.NONE, 0x14);
    private static final Op UNPACK_HIGH = new Op(Map.X0F, Prefix.NONE, 0x15);
    private static final Op UNPACK_LOW_PAIRS = new Op(Map.X0F, Prefix.X66, 0x14, 1);
    private static final Op UNPACK_HIGH_PAIRS = new Op(Map.X0F, Prefix.X66, 0x15, 1);

    private static final int CACHE_LINE = 64;
    private static final int QUAD_BYTES = 16;

    private final boolean wide;
    private byte[] code = new byte[4096];
    private int size;

    /// @param bits of a vector: 512 or 256
    Assembler(int bits) {
        if (bits != 512 && bits != 256) {
            throw new IllegalArgumentException("assembler: vectors must have 512 or 256 bits, got " + bits);
        }
        wide = bits == 512;
    }

    byte[] code() {
        return Arrays.copyOf(code, size);
    }

    int position() {
        return size;
    }

    void zero(int v) {
        registers(wide ? XOR_INTS : XOR, v, v, v);
    }

    void load(int v, At from) {
        memory(LOAD, v, 0, from, vectorBytes());
    }

    void store(int v, At to) {
        memory(STORE, v, 0, to, vectorBytes());
    }

    /// 512 bits only: lanes outside a mask register are zero, and their memory is not touched.
    void loadMasked(int v, At from, int mask) {
        evex(LOAD, v, 0, from, vectorBytes(), 0x80 | mask);
    }

    /// 512 bits only.
    void storeMasked(int v, At to, int mask) {
        evex(STORE, v, 0, to, vectorBytes(), mask);
    }

    /// One float to all lanes.
    void broadcast(int v, At from) {
        memory(BROADCAST, v, 0, from, Float.BYTES);
    }

    /// Four floats to lanes 0 to 3, zeros to the others; `v` below 16.
    void loadQuad(int v, At from) {
        vexPrefix(LOAD, v, 0, high(from), from.base >> 3, 0);
        bytes(LOAD.code);
        operand(v, from, 1);
    }

    /// Four floats to lanes 4·place onwards.
    void insertQuad(int v, At from, int place) {
        memory(INSERT, v, v, from, QUAD_BYTES);
        bytes(place);
    }

    void add(int v, int a, int b) {
        registers(ADD, v, a, b);
    }

    /// `sum += a·b`
    void multiplyAdd(int sum, int a, int b) {
        registers(FMA_231, sum, a, b);
    }

    /// `v = v·factor + offset`
    void scaleAdd(int v, int factor, int offset) {
        registers(FMA_213, v, factor, offset);
    }

    /// Within each four lanes `a0 b0 a1 b1`, or `a2 b2 a3 b3` for the high ones.
    void interleave(int v, int a, int b, boolean high) {
        registers(high ? UNPACK_HIGH : UNPACK_LOW, v, a, b);
    }

    /// Within each four lanes `a0 a1 b0 b1`, or `a2 a3 b2 b3` for the high ones.
    void interleavePairs(int v, int a, int b, boolean high) {
        registers(high ? UNPACK_HIGH_PAIRS : UNPACK_LOW_PAIRS, v, a, b);
    }

    /// A mask register from the low 16 bits of one of the first eight general ones.
    void mask(int mask, int from) {
        bytes(0xC5, 0xF8, 0x92, 0xC0 | mask << 3 | from);
    }

    /// Leaves the upper halves of the vector registers clean for code that uses narrow ones.
    void zeroUpper() {
        bytes(0xC5, 0xF8, 0x77);
    }

    void move(int to, int from) {
        bytes(rex(from, 0, to), 0x89, 0xC0 | (from & 7) << 3 | to & 7);
    }

    /// The address itself.
    void address(int to, At of) {
        general(0x8D, to, of);
    }

    /// 64 bits.
    void load64(int to, At from) {
        general(0x8B, to, from);
    }

    /// 32 bits, the upper half zero.
    void load32(int to, At from) {
        bytes(rex(to, high(from), from.base) & ~8, 0x8B);
        operand(to, from, 1);
    }

    void addRegister(int to, int from) {
        bytes(rex(from, 0, to), 0x01, 0xC0 | (from & 7) << 3 | to & 7);
    }

    void addFrom(int to, At from) {
        general(0x03, to, from);
    }

    void addConstant(int to, int value) {
        bytes(rex(0, 0, to), 0x81, 0xC0 | to & 7);
        int32(value);
    }

    void andConstant(int to, int value) {
        bytes(rex(0, 0, to), 0x81, 0xE0 | to & 7);
        int32(value);
    }

    void shiftRight(int to, int by) {
        bytes(rex(0, 0, to), 0xC1, 0xE8 | to & 7, by);
    }

    /// Subtracts 1 and sets the zero flag.
    void decrement(int to) {
        bytes(rex(0, 0, to), 0xFF, 0xC8 | to & 7);
    }

    /// Sets the zero flag.
    void test(int register) {
        bytes(rex(register, 0, register), 0x85, 0xC0 | (register & 7) << 3 | register & 7);
    }

    void push(int register) {
        bytes(0x40 | register >> 3, 0x50 | register & 7);
    }

    void pop(int register) {
        bytes(0x40 | register >> 3, 0x58 | register & 7);
    }

    /// To the first cache, for reading.
    void prefetch(At at) {
        bytes(rex(0, high(at), at.base) & ~8, 0x0F, 0x18);
        operand(1, at, 1);
    }

    /// To the second cache, for reading.
    void prefetchSecond(At at) {
        bytes(rex(0, high(at), at.base) & ~8, 0x0F, 0x18);
        operand(2, at, 1);
    }

    /// To the first cache, for writing.
    void prefetchWrite(At at) {
        bytes(rex(0, high(at), at.base) & ~8, 0x0F, 0x0D);
        operand(1, at, 1);
    }

    /// Where calls may enter.
    void entry() {
        bytes(0xF3, 0x0F, 0x1E, 0xFA);
    }

    void leave() {
        bytes(0xC3);
    }

    /// Jumps to an earlier [#position] while the last result was not zero.
    void jumpNotZero(int target) {
        bytes(0x0F, 0x85);
        int32(target - size - 4);
    }

    /// @return where the jump is, for [#land]
    int jumpAheadIfZero() {
        bytes(0x0F, 0x84);
        int32(0);
        return size;
    }

    /// @return where the jump is, for [#land]
    int jumpAhead() {
        bytes(0xE9);
        int32(0);
        return size;
    }

    /// Makes a jump ahead end here.
    void land(int jump) {
        int distance = size - jump;
        for (int i = 0; i < 4; i++) {
            code[jump - 4 + i] = (byte) (distance >> 8 * i);
        }
    }

    /// Fills up with instructions that do nothing, so that a loop begins on a cache line.
    void align() {
        while (size % CACHE_LINE != 0) {
            bytes(0x90);
        }
    }

    private int vectorBytes() {
        return wide ? 64 : 32;
    }

    private void registers(Op op, int v, int second, int third) {
        if (wide) {
            evexPrefix(op, v, second, third >> 4 & 1, third >> 3 & 1, 0);
        } else {
            vexPrefix(op, v, second, 0, third >> 3, 1);
        }
        bytes(op.code, 0xC0 | (v & 7) << 3 | third & 7);
    }

    /// @param unit what EVEX counts an 8-bit offset in
    private void memory(Op op, int v, int second, At at, int unit) {
        if (wide) {
            evex(op, v, second, at, unit, 0);
        } else {
            vex(op, v, second, at);
        }
    }

    private void evex(Op op, int v, int second, At at, int unit, int mask) {
        evexPrefix(op, v, second, high(at), at.base >> 3, mask);
        bytes(op.code);
        operand(v, at, unit);
    }

    private void vex(Op op, int v, int second, At at) {
        vexPrefix(op, v, second, high(at), at.base >> 3, 1);
        bytes(op.code);
        operand(v, at, 1);
    }

    /// Register bits are stored inverted. @param mask its register, and 0x80 to make the other lanes zero
    private void evexPrefix(Op op, int v, int second, int x, int b, int mask) {
        bytes(0x62, (~v >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | (~v >> 4 & 1) << 4 | op.map.ordinal(),
                op.w << 7 | (~second & 15) << 3 | 4 | op.prefix.ordinal(), 0x40 | (~second >> 4 & 1) << 3 | mask);
    }

    /// @param length 1 for 256 bits, 0 for 128
    private void vexPrefix(Op op, int v, int second, int x, int b, int length) {
        bytes(0xC4, (~v >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | op.map.ordinal(),
                (~second & 15) << 3 | length << 2 | op.prefix.ordinal());
    }

    private void general(int opcode, int register, At at) {
        bytes(rex(register, high(at), at.base), opcode);
        operand(register, at, 1);
    }

    private static int high(At at) {
        return at.scale == 0 ? 0 : at.index >> 3;
    }

    private static int rex(int register, int x, int base) {
        return 0x48 | register >> 3 << 2 | x << 1 | base >> 3;
    }

    /// ModRM, SIB and offset. Low bits 100 of a base mean that a SIB byte follows, low bits 101 that an offset does.
    private void operand(int register, At at, int unit) {
        int low = at.base & 7;
        boolean sib = at.scale != 0 || low == 4;
        int mode = at.offset == 0 && low != 5 ? 0 : at.offset % unit == 0 && at.offset / unit == (byte) (at.offset / unit) ? 1 : 2;
        bytes(mode << 6 | (register & 7) << 3 | (sib ? 4 : low));
        if (sib) {
            bytes(at.scale == 0 ? 4 << 3 | low : Integer.numberOfTrailingZeros(at.scale) << 6 | (at.index & 7) << 3 | low);
        }
        if (mode == 1) {
            bytes(at.offset / unit);
        } else if (mode == 2) {
            int32(at.offset);
        }
    }

    private void int32(int value) {
        bytes(value, value >> 8, value >> 16, value >> 24);
    }

    private void bytes(int... values) {
        if (size + values.length > code.length) {
            code = Arrays.copyOf(code, 2 * code.length);
        }
        for (int value : values) {
            code[size++] = (byte) value;
        }
    }
}
