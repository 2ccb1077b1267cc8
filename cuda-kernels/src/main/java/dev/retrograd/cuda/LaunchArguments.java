package dev.retrograd.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A kernel's arguments, written anew for each launch into memory that is kept: every value lies where a C struct would have it, and a
/// table holds the address of each, which is the form that `cuLaunchKernel` takes.
///
/// The driver copies them during the launch, so that the memory is free again when the launch call returns.
public final class LaunchArguments {
    private static final int MAX_BYTES = 4096;
    private static final int MAX_COUNT = 512;

    private final MemorySegment values = Arena.ofAuto().allocate(MAX_BYTES, Long.BYTES);
    private final MemorySegment addresses = Arena.ofAuto().allocate(MAX_COUNT * (long) Long.BYTES, Long.BYTES);
    private long end;
    private int count;

    /// Arguments as they were, on the heap.
    static final class Kept {
        private final MemorySegment bytes;
        private final short[] offsets;

        private Kept(MemorySegment bytes, short... offsets) {
            this.bytes = bytes;
            this.offsets = offsets;
        }

        boolean is(Kept other) {
            return bytes.byteSize() == other.bytes.byteSize() && bytes.mismatch(other.bytes) < 0;
        }
    }

    /// These arguments as they are now.
    Kept keep() {
        short[] offsets = new short[count];
        for (int i = 0; i < count; i++) {
            offsets[i] = (short) (addresses.getAtIndex(ValueLayout.JAVA_LONG, i) - values.address());
        }
        byte[] bytes = new byte[(int) end];
        MemorySegment.copy(values, ValueLayout.JAVA_BYTE, 0, bytes, 0, bytes.length);
        return new Kept(MemorySegment.ofArray(bytes), offsets);
    }

    /// Takes the place of the arguments so far.
    LaunchArguments set(Kept kept) {
        end = kept.bytes.byteSize();
        count = kept.offsets.length;
        MemorySegment.copy(kept.bytes, 0, values, 0, end);
        for (int i = 0; i < count; i++) {
            addresses.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + kept.offsets[i]);
        }
        return this;
    }

    /// Whether a kernel that takes both would see the same bytes.
    boolean are(Kept kept) {
        return end == kept.bytes.byteSize() && MemorySegment.mismatch(values, 0, end, kept.bytes, 0, end) < 0;
    }

    /// Of all bytes.
    int bytesHash() {
        int hash = 1;
        for (long at = 0; at < end; at += Integer.BYTES) {
            hash = 31 * hash + values.get(ValueLayout.JAVA_INT, at);
        }
        return hash;
    }

    /// Forgets the previous launch's arguments.
    public LaunchArguments clear() {
        end = 0;
        count = 0;
        return this;
    }

    /// A device address, or a 64-bit integer.
    public LaunchArguments i64(long value) {
        return i64s(value);
    }

    public LaunchArguments i32(int value) {
        return i32s(value);
    }

    public LaunchArguments f32(float value) {
        argument(Float.BYTES);
        values.set(ValueLayout.JAVA_FLOAT, end, value);
        end += Float.BYTES;
        return this;
    }

    public LaunchArguments f64(double value) {
        return f64s(value);
    }

    /// A struct of 32-bit integers, passed by value as one argument.
    public LaunchArguments i32s(int... fields) {
        argument(Integer.BYTES);
        for (int f : fields) {
            values.set(ValueLayout.JAVA_INT, end, f);
            end += Integer.BYTES;
        }
        return this;
    }

    /// A struct of 64-bit integers, passed by value as one argument.
    public LaunchArguments i64s(long... fields) {
        argument(Long.BYTES);
        for (long f : fields) {
            values.set(ValueLayout.JAVA_LONG, end, f);
            end += Long.BYTES;
        }
        return this;
    }

    /// What {@link CudaDriver#encode} gave.
    public LaunchArguments tensorMap(long[] encoded) {
        argument(TensorMap.ALIGNMENT);
        MemorySegment.copy(encoded, 0, values, ValueLayout.JAVA_LONG, end, encoded.length);
        end += TensorMap.BYTES;
        return this;
    }

    /// A struct of float64 numbers, passed by value as one argument.
    public LaunchArguments f64s(double... fields) {
        argument(Double.BYTES);
        for (double f : fields) {
            values.set(ValueLayout.JAVA_DOUBLE, end, f);
            end += Double.BYTES;
        }
        return this;
    }

    private void argument(int alignment) {
        long start = aligned(end, alignment);
        for (; end < start; end += Integer.BYTES) {
            values.set(ValueLayout.JAVA_INT, end, 0);   // so that bytes can be compared
        }
        addresses.setAtIndex(ValueLayout.JAVA_LONG, count++, values.address() + end);
    }

    private static long aligned(long at, int alignment) {
        return Math.ceilDiv(at, (long) alignment) * alignment;
    }

    /// All bytes of the arguments.
    public MemorySegment values() {
        return values.asSlice(0, end);
    }

    /// The address of each argument.
    public MemorySegment addresses() {
        return addresses.asSlice(0, count * (long) Long.BYTES);
    }
}
