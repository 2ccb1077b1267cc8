package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.CudaDriver.Kernel;
import dev.retrograd.cuda.CudaDriver.Stream;
import dev.retrograd.cuda.LaunchArguments;
import dev.retrograd.cuda.LaunchGrid;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// An emulated device for tests of the emulator itself: arrays in and out of it, and kernels from text.
final class Bench implements AutoCloseable {
    private static final String HEADER = ".version 7.0\n.target sm_80\n.address_size 64\n";

    final EmulatedDriver driver;
    private final Stream stream;

    Bench() {
        this(new EmulatedDriver(1 << 24));
    }

    /// @param driver closed with this
    Bench(EmulatedDriver driver) {
        this.driver = driver;
        stream = driver.createStream();
    }

    /// The only kernel of a module, whose text lacks the header's three lines.
    Kernel kernel(String name, String text) {
        return driver.load("test", HEADER + text).kernel(name);
    }

    void launch(Kernel kernel, int blocks, int threads, LaunchArguments arguments) {
        driver.launch(kernel, LaunchGrid.of(blocks, threads), 0, arguments, stream);
    }

    /// Room that nothing has written.
    long room(long bytes) {
        return driver.allocate(bytes);
    }

    long upload(int... values) {
        return upload(MemorySegment.ofArray(values));
    }

    long upload(float... values) {
        return upload(MemorySegment.ofArray(values));
    }

    long upload(double... values) {
        return upload(MemorySegment.ofArray(values));
    }

    private long upload(MemorySegment values) {
        long address = driver.allocate(values.byteSize());
        try (Arena arena = Arena.ofConfined()) {
            driver.copyToDevice(arena.allocate(values.byteSize(), 8).copyFrom(values), address, stream);
        }
        return address;
    }

    int[] ints(long address, int count) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(count * 4L, 8);
            driver.copyToHost(address, host, stream);
            return host.toArray(ValueLayout.JAVA_INT);
        }
    }

    float[] floats(long address, int count) {
        int[] bits = ints(address, count);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = Float.intBitsToFloat(bits[i]);
        }
        return values;
    }

    @Override public void close() {
        driver.close();
    }
}
