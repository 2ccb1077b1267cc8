package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.core.OutOfMemoryException;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CpuMemoryTest {
    private final CpuMemory cpu = new CpuMemory(false);

    @AfterEach void close() {
        cpu.close();
    }

    @Test void aClassHoldsWhatIsAskedForWithAtMostAnEighthOfSlack() {
        for (long bytes = 64; bytes < 1L << 33; bytes = bytes * 9 / 8 + 64) {
            long size = CpuMemory.sizeClass(bytes);
            assertTrue(size >= bytes && size % 64 == 0, bytes + " in " + size);
            assertTrue(size - bytes <= Math.max(64, bytes / 8), bytes + " in " + size);
            assertEquals(size, CpuMemory.sizeClass(size), "a class is its own class");
        }
    }

    @Test void aFreedBlockServesTheNextTensorOfItsClass() {
        long address;
        try (Scope _ = cpu.memory().open("first")) {
            address = CpuMemory.data(cpu.memory().allocate("a", Spec.f32(10_000))).address();
        }
        long reserved = cpu.reservedBytes();
        assertEquals(0, cpu.memory().liveBytes());
        assertEquals(address, CpuMemory.data(cpu.memory().allocate("b", Spec.f32(9_990))).address());
        assertEquals(reserved, cpu.reservedBytes());
    }

    @Test void trimmingGivesCachedBlocksBackAndKeepsLiveOnes() {
        cpu.memory().allocate("live", Spec.f32(16));
        try (Scope _ = cpu.memory().open("first")) {
            cpu.memory().allocate("a", Spec.f32(10_000));
        }
        cpu.trim();
        assertEquals(64, cpu.reservedBytes());
    }

    @Test void everyTensorIsAlignedAndAsLongAsItsElements() {
        for (int n : new int[] {1, 7, 13, 64, 207}) {
            Tensor t = cpu.memory().allocate("t", new Spec(Shape.of(n), DType.U8));
            assertEquals(0, CpuMemory.data(t).address() % 64);
            assertEquals(n, CpuMemory.data(t).byteSize());
        }
    }

    @Test void runningOutNamesTheTensorTheScopesAndWhatToChange() {
        try (Scope _ = cpu.memory().open("step 1")) {
            String message = assertThrows(OutOfMemoryException.class,
                    () -> cpu.memory().allocate("huge", Spec.f32(1 << 20, 1 << 20, 1 << 14))).getMessage();
            assertTrue(message.startsWith("cpu: no room for 'huge' of 72057594037927936 bytes in cpu > step 1; 0 bytes are live"), message);
        }
        assertEquals(0, cpu.memory().liveBytes());
    }

    @Test
    void blocksOfAnEarlierStageGoBackOnceAnotherStageAsksForMore() {
        int megabyte = 1 << 18;
        try (Scope _ = cpu.memory().open("first stage")) {
            for (int i = 1; i <= 4; i++) {
                cpu.memory().allocate("block", Spec.f32(4 * i * megabyte));
            }
        }
        assertEquals(40L << 20, cpu.reservedBytes(), "a scope's end keeps what the next one may ask for");
        try (Scope _ = cpu.memory().open("second stage")) {
            cpu.memory().allocate("same size", Spec.f32(12 * megabyte));
            assertEquals(40L << 20, cpu.reservedBytes());
            cpu.memory().allocate("other size", Spec.f32(6 * megabyte));
            // of 28 idle MiB no more than 16 + 12/8 may stay: the longest unused blocks go, of 4 and 8 MiB
            assertEquals(12 + 6 + 16L, cpu.reservedBytes() >> 20);
        }
        cpu.trim();
        assertEquals(0, cpu.reservedBytes());
    }
}
