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
        end = Math.ceilDiv(end, (long) alignment) * alignment;
        addresses.setAtIndex(ValueLayout.JAVA_LONG, count++, values.address() + end);
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
