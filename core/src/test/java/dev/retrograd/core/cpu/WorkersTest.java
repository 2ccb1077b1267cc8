package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
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

    @Test void aNumberServesOneTaskAtATime() {
        try (Workers workers = new Workers(4)) {
            AtomicIntegerArray busy = new AtomicIntegerArray(4);
            AtomicInteger clashes = new AtomicInteger();
            workers.run(5000, (worker, _) -> {
                if (busy.incrementAndGet(worker) != 1) {
                    clashes.incrementAndGet();
                }
                Thread.onSpinWait();
                busy.decrementAndGet(worker);
            });
            assertEquals(0, clashes.get());
        }
    }

    @Test void helpersWakeAfterSleeping() throws InterruptedException {
        try (Workers workers = new Workers(2)) {
            for (int round = 0; round < 20; round++) {
                Thread.sleep(5);
                AtomicInteger sum = new AtomicInteger();
                workers.run(10, task -> {
                    sum.addAndGet(task);
                });
                assertEquals(45, sum.get());
            }
        }
    }

    @Test void workInsideATaskStaysOnItsThread() {
        try (Workers workers = new Workers(3)) {
            AtomicInteger elsewhere = new AtomicInteger();
            AtomicInteger inner = new AtomicInteger();
            assertEquals(3, workers.available());
            workers.run(20, (worker, _) -> {
                Thread thread = Thread.currentThread();
                if (workers.available() != 1) {
                    elsewhere.incrementAndGet();
                }
                workers.run(5, (innerWorker, _) -> {
                    inner.incrementAndGet();
                    if (Thread.currentThread() != thread || innerWorker != worker) {
                        elsewhere.incrementAndGet();
                    }
                });
            });
            assertEquals(100, inner.get());
            assertEquals(0, elsewhere.get());
        }
    }

    @Test void outsideThreadsTakeTurns() throws InterruptedException {
        try (Workers workers = new Workers(2)) {
            AtomicInteger running = new AtomicInteger();
            AtomicInteger crowded = new AtomicInteger();
            AtomicInteger runs = new AtomicInteger();
            Thread[] callers = new Thread[3];
            for (int c = 0; c < callers.length; c++) {
                callers[c] = Thread.ofPlatform().start(() -> {
                    for (int round = 0; round < 100; round++) {
                        workers.run(8, _ -> {
                            if (running.incrementAndGet() > 2) {
                                crowded.incrementAndGet();
                            }
                            runs.incrementAndGet();
                            running.decrementAndGet();
                        });
                    }
                });
            }
            for (Thread caller : callers) {
                caller.join();
            }
            assertEquals(2400, runs.get());
            assertEquals(0, crowded.get());
        }
    }

    @Test void refusesWorkAfterClose() {
        Workers workers = new Workers(2);
        workers.close();
        workers.close();
        assertEquals("cpu: workers must be open, got work after close",
                assertThrows(IllegalStateException.class, () -> workers.run(2, _ -> { })).getMessage());
    }
}
