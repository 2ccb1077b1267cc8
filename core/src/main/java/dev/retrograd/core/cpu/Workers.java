package dev.retrograd.core.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;

/// The threads of the CPU backend: the caller and its helpers, who share out numbered tasks.
///
/// Which thread runs a task is left to chance, so that a slow core costs little; what a task does depends on its number alone. Callers cut
/// work into tasks whose results do not depend on the cut: then bits do not depend on the thread count. Work asked for inside a task runs
/// on that task's thread; outside threads take turns.
final class Workers implements AutoCloseable {
    /// Turns that an idle helper waits awake: some 20 µs, the gap between two kernels.
    private static final int SPINS = 1000;

    /// Elements that one task handles where every element costs little.
    static final long CHUNK = 16384;

    /// What a task of a range of elements or rows does.
    interface Range {
        /// @param from first, inclusive
        /// @param to last, exclusive
        void run(long from, long to);
    }

    /// What a numbered task does that needs a workspace of its thread's own.
    interface Task {
        /// @param worker which thread runs it: 0 for the caller, up to threads − 1; no two tasks run at once under one number
        void run(int worker, int task);
    }

    private final ReentrantLock turn = new ReentrantLock();
    private final Helper[] helpers;
    private volatile Job job;
    private volatile boolean closed;

    /// @param threads 1 or more, the caller included
    Workers(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("cpu: threads must be 1 or more, got " + threads);
        }
        helpers = new Helper[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Helper(i + 1);
            helpers[i].start();
        }
    }

    /// The caller and its helpers.
    int threads() {
        return helpers.length + 1;
    }

    /// Threads that work asked for here and now would run on: 1 inside a task.
    int available() {
        return turn.isHeldByCurrentThread() || ownHelper() != null ? 1 : threads();
    }

    /// Runs tasks 0 … tasks−1, in any order, and returns when all are done; the first failure is thrown again, and tasks not begun before
    /// it are skipped.
    void run(int tasks, IntConsumer body) {
        run(tasks, (_, task) -> body.accept(task));
    }

    /// As {@link #run(int, IntConsumer)}, telling each task which thread it runs on.
    ///
    /// @throws IllegalStateException after {@link #close()}
    void run(int tasks, Task body) {
        Helper own = ownHelper();
        if (own != null) {
            runHere(tasks, own.number, body);
            return;
        }
        turn.lock();
        try {
            if (closed) {
                throw new IllegalStateException("cpu: workers must be open, got work after close");
            }
            if (tasks <= 1 || helpers.length == 0 || turn.getHoldCount() > 1) {
                runHere(tasks, 0, body);
            } else {
                share(new Job(tasks, body, Thread.currentThread()));
            }
        } finally {
            turn.unlock();
        }
    }

    /// Runs `[0, n)` in chunks of `chunk`, the last one shorter.
    void ranges(long n, long chunk, Range body) {
        run(Math.toIntExact(Math.ceilDiv(n, chunk)), i -> body.run(i * chunk, Math.min(n, (i + 1) * chunk)));
    }

    /// Runs `[0, n)` elements, in chunks of {@value #CHUNK}; a small tensor, of fewer than two chunks, on the calling thread.
    void elements(long n, Range body) {
        rows(n, 1, body);
    }

    /// Runs `[0, rows)` rows of `size` elements each, whole rows together in chunks of about {@value #CHUNK} elements; few elements on the calling thread.
    void rows(long rows, long size, Range body) {
        long perTask = Math.max(1, CHUNK / Math.max(1, size));
        if (rows * size >= 2 * CHUNK) {
            ranges(rows, perTask, body);
            return;
        }
        for (long from = 0; from < rows; from += perTask) {
            body.run(from, Math.min(rows, from + perTask));
        }
    }

    /// Ends the helpers, once running work is done.
    @Override public void close() {
        turn.lock();
        try {
            closed = true;
            wake(helpers.length);
        } finally {
            turn.unlock();
        }
    }

    private Helper ownHelper() {
        return Thread.currentThread() instanceof Helper helper && helper.team() == this ? helper : null;
    }

    private static void runHere(int tasks, int worker, Task body) {
        for (int i = 0; i < tasks; i++) {
            body.run(worker, i);
        }
    }

    private void share(Job j) {
        job = j;
        wake(Math.min(helpers.length, j.tasks - 1));
        j.work(0);
        try {
            j.await();
        } finally {
            job = null; // what the body holds on to must not outlive the work
        }
    }

    private void wake(int count) {
        for (int i = 0; i < count; i++) {
            if (helpers[i].asleep) {
                LockSupport.unpark(helpers[i]);
            }
        }
    }

    private final class Helper extends Thread {
        private final int number;
        private volatile boolean asleep;

        Helper(int number) {
            super("retrograd-cpu-" + number);
            this.number = number;
            setDaemon(true);
        }

        Workers team() {
            return Workers.this;
        }

        @Override public void run() {
            int idle = 0;
            while (!closed) {
                Job j = job;
                if (j != null && j.open()) {
                    j.work(number);
                    idle = 0;
                } else if (idle < SPINS) {
                    idle++;
                    Thread.onSpinWait();
                } else {
                    sleep();
                }
            }
        }

        /// Announces itself before looking once more, so that whoever publishes a job after that look sees a sleeper to wake.
        private void sleep() {
            asleep = true;
            Job j = job;
            if ((j == null || !j.open()) && !closed) {
                LockSupport.park(this);
            }
            asleep = false;
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

        boolean open() {
            return next.get() < tasks;
        }

        void work(int worker) {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                try {
                    if (failure.get() == null) {
                        body.run(worker, i);
                    }
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
