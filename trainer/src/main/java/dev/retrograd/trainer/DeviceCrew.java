package dev.retrograd.trainer;

import dev.retrograd.trainer.method.MicroBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/// The run's own device and others of this host: each takes the next micro-batch when it is free.
///
/// Every other device has a thread of its own.
public final class DeviceCrew implements Crew, AutoCloseable {
    private final List<ReplicaThread> members = new ArrayList<>();

    /// Opens all devices at once.
    ///
    /// @throws IOException if one cannot be read from; none stays open
    /// @throws RuntimeException likewise
    public static DeviceCrew open(List<ReplicaThread.Opening> openings) throws IOException {
        DeviceCrew crew = new DeviceCrew();
        boolean done = false;
        try {
            openings.forEach(o -> crew.members.add(new ReplicaThread("replica-" + (crew.members.size() + 1), o)));
            ReplicaThread.join(crew.members.stream().map(ReplicaThread::opened).toList());
            done = true;
            return crew;
        } finally {
            if (!done) {
                crew.close();
            }
        }
    }

    @Override public void compute(Work work, Here here, Done done) {
        AtomicInteger next = new AtomicInteger();
        AtomicBoolean failed = new AtomicBoolean();
        float[][] weights = work.weights().get();
        List<Future<Void>> others = members.stream().map(m -> m.start(replica -> {
            replica.follow(weights, work.recomputed());
            return take(work, next, failed, done, (batch, progress) -> replica.compute(work.update(), batch, work.places(), progress));
        })).toList();
        FutureTask<Void> own = new FutureTask<>(() -> take(work, next, failed, done, here));
        own.run();
        try {
            ReplicaThread.join(Stream.concat(Stream.of(own), others.stream()).toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Computes micro-batches until there are none, or one failed anywhere.
    private static Void take(Work work, AtomicInteger next, AtomicBoolean failed, Done done, Here here) {
        boolean fine = false;
        try {
            for (int i = next.getAndIncrement(); i < work.batches().size() && !failed.get(); i = next.getAndIncrement()) {
                MicroBatch batch = work.batches().get(i);
                done.take(i, here.compute(batch, units -> {
                    if (failed.get()) {
                        throw new CancellationException("another device failed");
                    }
                    done.progressed(units);
                }));
            }
            fine = true;
            return null;
        } finally {
            if (!fine) {
                failed.set(true);
            }
        }
    }

    /// Closes the other devices, each on its thread.
    @Override public void close() throws IOException {
        List<Future<Void>> closed = members.stream().map(ReplicaThread::closing).toList();
        members.clear();
        ReplicaThread.join(closed);
    }
}
