package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class WorkersTest {

    @Test void everyTaskRunsOnceOnAKnownThread() {
        try (Workers workers = new Workers(3)) {
            for (int round = 0; round < 200; round++) {
                AtomicIntegerArray runs = new AtomicIntegerArray(37);
                AtomicIntegerArray strangers = new AtomicIntegerArray(1);
                workers.run(37, (worker, task) -> {
                    runs.incrementAndGet(task);
                    if (worker < 0 || worker >= 3) {
                        strangers.incrementAndGet(0);
                    }
                });
                for (int i = 0; i < 37; i++) {
                    assertEquals(1, runs.get(i), "runs of task " + i);
                }
                assertEquals(0, strangers.get(0));
            }
        }
    }

    @Test void rangesCoverEverythingInChunksOfOneSize() {
        for (int threads : new int[] {1, 2, 5}) {
            try (Workers workers = new Workers(threads)) {
                long[] lengths = new long[5];
                workers.ranges(207, 50, (from, to) -> lengths[(int) (from / 50)] = to - from);
                assertArrayEquals(new long[] {50, 50, 50, 50, 7}, lengths);
                workers.ranges(0, 50, (_, _) -> Arrays.fill(lengths, -1));
                assertEquals(7, lengths[4], "an empty range runs nothing");
            }
        }
    }

    @Test void aTasksFailureReachesTheCallerAndLeavesTheWorkersUsable() {
        try (Workers workers = new Workers(2)) {
            IllegalStateException e = assertThrows(IllegalStateException.class, () -> workers.run(20, task -> {
                if (task == 11) {
                    throw new IllegalStateException("task 11");
                }
            }));
            assertEquals("task 11", e.getMessage());
            int[] done = new int[20];
            workers.run(20, task -> done[task] = 1);
            assertEquals(20, Arrays.stream(done).sum());
        }
    }

    @Test void refusesNoThreads() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new Workers(0)).getMessage().contains("got 0"));
    }
}
