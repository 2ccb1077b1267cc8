package dev.retrograd.trainer;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;

/// A replica with a thread of its own, which opens its device, computes on it and closes it: drivers of devices know the thread that they are used on.
public final class ReplicaThread implements Closeable {
    private final ExecutorService thread;
    private final Future<Void> opened;
    private Equipment equipment;

    /// What a replica consists of.
    public interface Equipment extends Closeable {
        Replica replica();
    }

    /// Opens a device and loads onto it what a replica needs.
    @FunctionalInterface
    public interface Opening {
        Equipment open() throws IOException;
    }

    /// Begins to open it.
    ///
    /// @param name of the thread
    public ReplicaThread(String name, Opening opening) {
        thread = Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name(name).factory());
        opened = thread.submit(() -> {
            equipment = opening.open();
            return null;
        });
    }

    /// Done when it is open.
    Future<Void> opened() {
        return opened;
    }

    /// Begins to do something with the replica.
    <T> Future<T> start(Function<Replica, T> work) {
        return thread.submit(() -> work.apply(equipment.replica()));
    }

    /// Does something with the replica, as soon as it is open.
    ///
    /// @throws IOException if it could not be opened
    public <T> T call(Function<Replica, T> work) throws IOException {
        join(List.of(opened));
        Future<T> result = start(work);
        join(List.of(result));
        return result.resultNow();
    }

    /// Begins to close it.
    Future<Void> closing() {
        Future<Void> closed = thread.submit(() -> {
            if (equipment != null) {
                equipment.close();
            }
            return null;
        });
        thread.shutdown();
        return closed;
    }

    @Override public void close() throws IOException {
        join(List.of(closing()));
    }

    /// Waits for all, then fails as the first that failed of itself.
    static void join(List<? extends Future<?>> all) throws IOException {
        Throwable failure = null;
        for (Future<?> one : all) {
            try {
                await(one);
            } catch (ExecutionException e) {
                failure = failure == null || failure instanceof CancellationException ? e.getCause() : failure;
            }
        }
        switch (failure) {
            case null -> { }
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(failure);
        }
    }

    /// An interrupt does not leave a device in the middle of something.
    private static void await(Future<?> one) throws ExecutionException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    one.get();
                    return;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
