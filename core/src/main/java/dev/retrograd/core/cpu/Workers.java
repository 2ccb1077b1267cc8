package dev.retrograd.core.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/// The threads of the CPU backend: the caller and its helpers, who share out numbered tasks.
///
/// Which thread runs a task is left to chance, so that a slow core costs little; what a task does depends on its number alone. Callers cut
/// work into tasks of a fixed size, never into as many as there are threads: then bits do not depend on the thread count.
final class Workers implements AutoCloseable {
    /// Turns that an idle helper waits awake: some 20 µs, the gap between two kernels.
    private static final int SPINS = 1000;

    /// What a task of a range of elements or rows does.
    interface Range {
        /// @param from first, inclusive
        /// @param to last, exclusive
        void run(long from, long to);
    }

    /// What a numbered task does that needs a workspace of its thread's own.
    interface Task {
        /// @param worker which thread runs it: 0 for the caller, up to threads − 1
        void run(int worker, int task);
    }

    private final Thread[] helpers;
    private volatile Job job;
    private volatile boolean closed;

    /// @param threads 1 or more, the caller included
    Workers(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("cpu: threads must be 1 or more, got " + threads);
        }
        helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = Thread.ofPlatform().daemon().name("retrograd-cpu-" + (i + 1)).start(helper(i + 1));
        }
    }

    int threads() {
        return helpers.length + 1;
    }

    /// Runs tasks 0 … tasks−1, in any order, and returns when all are done; the first failure is thrown again. Tasks run no tasks of their own.
    void run(int tasks, IntConsumer body) {
        run(tasks, (_, task) -> body.accept(task));
    }

    /// As {@link #run(int, IntConsumer)}, telling each task which thread it runs on.
    void run(int tasks, Task body) {
        if (tasks <= 1 || helpers.length == 0) {
            for (int i = 0; i < tasks; i++) {
                body.run(0, i);
            }
            return;
        }
        Job j = new Job(tasks, body, Thread.currentThread());
        job = j;
        for (int i = 0; i < Math.min(helpers.length, tasks - 1); i++) {
            LockSupport.unpark(helpers[i]);
        }
        j.work(0);
        j.await();
    }

    /// Runs `[0, n)` in chunks of `chunk`, the last one shorter.
    void ranges(long n, long chunk, Range body) {
        run(Math.toIntExact(Math.ceilDiv(n, chunk)), i -> body.run(i * chunk, Math.min(n, (i + 1) * chunk)));
    }

    private Runnable helper(int worker) {
        return () -> help(worker);
    }

    private void help(int worker) {
        Job last = null;
        int idle = 0;
        while (!closed) {
            Job j = job;
            if (j != last) {
                j.work(worker);
                last = j;
                idle = 0;
            } else if (idle < SPINS) {
                idle++;
                Thread.onSpinWait();
            } else {
                LockSupport.park(this);
            }
        }
    }

    /// Ends the helpers.
    @Override public void close() {
        closed = true;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
        }
    }

    private static final class Job {
        private final int tasks;
        private final Task body;
        private final Thread caller;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();
        private final AtomicReference<Throwable> failure = new AtomicReference<>();

        Job(int tasks, Task body, Thread caller) {
            this.tasks = tasks;
            this.body = body;
            this.caller = caller;
        }

        void work(int worker) {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                try {
                    body.run(worker, i);
                } catch (RuntimeException | Error e) {
                    failure.compareAndSet(null, e);
                } finally {
                    if (done.incrementAndGet() == tasks) {
                        LockSupport.unpark(caller);
                    }
                }
            }
        }

        void await() {
            for (int idle = 0; done.get() < tasks; idle++) {
                if (idle < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
            switch (failure.get()) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case null, default -> { }
            }
        }
    }
}
