package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.CudaDriver;
import dev.retrograd.cuda.CudaException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;

/// A stream of the emulator: does work at once, or, where it is late, when somebody waits for it or has it take a {@link #step}. Who waits makes it do what
/// comes before the point that is waited for, and makes other streams do only what events demand.
final class EmulatedStream implements CudaDriver.Stream {
    private final long handle;
    private final boolean late;
    private final Queue<Work> waiting = new ArrayDeque<>();
    /// where work goes while it is captured
    private Optional<List<Runnable>> captured = Optional.empty();

    /// @param needs point of another stream that comes before
    private record Work(Optional<Mark> needs, Runnable action) {
        void run() {
            needs.ifPresent(Mark::reach);
            action.run();
        }
    }

    EmulatedStream(long handle, boolean late) {
        this.handle = handle;
        this.late = late;
    }

    long handle() {
        return handle;
    }

    /// @return false if it was captured
    boolean submit(Runnable work) {
        if (captured.isPresent()) {
            captured.get().add(work);
            return false;
        }
        submit(new Work(Optional.empty(), work));
        return true;
    }

    private void submit(Work work) {
        if (late) {
            waiting.add(work);
        } else {
            work.run();
        }
    }

    /// Does the next piece of work, if there is one and what it needs is done.
    void step() {
        if (!waiting.isEmpty() && waiting.element().needs().stream().allMatch(m -> m.passed)) {
            waiting.remove().run();
        }
    }

    /// Pieces of work that were not done yet.
    int pending() {
        return waiting.size();
    }

    void drain() {
        while (!waiting.isEmpty()) {
            waiting.poll().run();
        }
    }

    void beginCapture() {
        requireNotCaptured();
        captured = Optional.of(new ArrayList<>());
    }

    List<Runnable> endCapture() {
        List<Runnable> work = List.copyOf(captured.orElseThrow(() -> new CudaException("cuda: a capture that ends must have begun")));
        captured = Optional.empty();
        return work;
    }

    void requireNotCaptured() {
        if (captured.isPresent()) {
            throw new CudaException("cuda: a stream cannot be waited for, nor captured again, while its work is captured");
        }
    }

    /// A point in a stream's work, when an event was recorded.
    static final class Mark {
        private final EmulatedStream stream;
        private boolean passed;
        private long nanos;

        private Mark(EmulatedStream stream) {
            this.stream = stream;
        }

        /// Has the stream work until it is there.
        void reach() {
            while (!passed) {
                stream.waiting.remove().run();
            }
        }
    }

    /// An event; who waits for it waits for the point where it was recorded last before.
    static final class Recorded implements CudaDriver.Event {
        private Optional<Mark> mark = Optional.empty();

        void record(EmulatedStream stream) {
            Mark here = new Mark(stream);
            mark = Optional.of(here);
            stream.submit(() -> {
                here.nanos = System.nanoTime();
                here.passed = true;
            });
        }

        void synchronize() {
            mark.ifPresent(Mark::reach);
        }

        void await(EmulatedStream stream) {
            stream.submit(new Work(mark, () -> { }));
        }

        long nanos() {
            synchronize();
            return mark.orElseThrow(() -> new CudaException("cuda: an event must be recorded before its time is asked for")).nanos;
        }
    }
}
