package dev.retrograd.cuda.emulator;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/// A stretch of emulated memory that remembers which of its bytes were written.
class Region {
    static final VarHandle SHORTS = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long ONES = 0x0101010101010101L;

    final String name;
    final long base;
    final byte[] data;
    /// 1 where the byte was written
    final byte[] written;

    /// @param base address of its first byte
    Region(String name, long base, int bytes) {
        this.name = name;
        this.base = base;
        data = new byte[bytes];
        written = new byte[bytes];
    }

    /// Whether all of these bytes lie inside.
    final boolean holds(long address, int bytes) {
        long i = address - base;
        return i >= 0 && i + bytes <= data.length;
    }

    final boolean isWritten(int i, int bytes) {
        return switch (bytes) {
            case 1 -> written[i] != 0;
            case 2 -> (short) SHORTS.get(written, i) == (short) ONES;
            case 4 -> (int) INTS.get(written, i) == (int) ONES;
            case 8 -> (long) LONGS.get(written, i) == ONES;
            default -> isWritten(i, 8) && isWritten(i + 8, bytes - 8);
        };
    }

    final void markWritten(int i, int bytes) {
        switch (bytes) {
            case 1 -> written[i] = 1;
            case 2 -> SHORTS.set(written, i, (short) ONES);
            case 4 -> INTS.set(written, i, (int) ONES);
            case 8 -> LONGS.set(written, i, ONES);
            default -> Arrays.fill(written, i, i + bytes, (byte) 1);
        }
    }

    /// Zero-extended value of 1, 2, 4 or 8 bytes.
    final long get(int i, int bytes) {
        return switch (bytes) {
            case 1 -> data[i] & 0xFF;
            case 2 -> (short) SHORTS.get(data, i) & 0xFFFF;
            case 4 -> (int) INTS.get(data, i) & 0xFFFFFFFFL;
            default -> (long) LONGS.get(data, i);
        };
    }

    final void set(int i, int bytes, long value) {
        switch (bytes) {
            case 1 -> data[i] = (byte) value;
            case 2 -> SHORTS.set(data, i, (short) value);
            case 4 -> INTS.set(data, i, (int) value);
            default -> LONGS.set(data, i, value);
        }
    }

    /// Why bytes cannot be read that nothing wrote.
    String unwritten(int i, int bytes) {
        return "read of memory that nothing wrote";
    }

    /// Called before a thread reads; shared memory looks for races.
    void reading(Warp w, Op op, int lane, int i, int bytes) {
    }

    /// Called before a thread writes; shared memory looks for races.
    void writing(Warp w, Op op, int lane, int i, int bytes) {
    }
}
