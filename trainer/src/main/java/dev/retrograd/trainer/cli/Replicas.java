package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.Reward;
import dev.retrograd.trainer.Replica;
import dev.retrograd.trainer.ReplicaThread;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// Further devices of a run, each with all that a replica needs.
final class Replicas {
    private Replicas() {
    }

    /// How to open all devices of a list but the first, which is the run's own.
    static List<ReplicaThread.Opening> of(TrainOptions options, TrainOptions.Request request, List<String> devices) {
        PrintWriter silent = new PrintWriter(Writer.nullWriter());
        return IntStream.range(1, devices.size()).<ReplicaThread.Opening>mapToObj(i -> () -> open(options, request, options.model().backend(silent, devices, i))).toList();
    }

    /// @param backend closed with what is opened, or if that fails
    static ReplicaThread.Equipment open(TrainOptions options, TrainOptions.Request request, Backend backend) throws IOException {
        Opened opened = new Opened();
        boolean done = false;
        try {
            opened.parts.push(backend::close);
            StableDiffusion model = options.model().load(backend, new PrintWriter(Writer.nullWriter()));
            opened.parts.push(model::close);
            Reward reward = request.reward().on(backend);
            opened.parts.push(reward::close);
            Tracked tracked = options.tracked(request, backend);
            opened.parts.push(tracked::close);
            opened.replica = new Replica(options.task(request, model, reward, tracked, Optional.empty()), options.config(request, model));
            opened.parts.push(opened.replica::close);
            done = true;
            return opened;
        } finally {
            if (!done) {
                opened.close();
            }
        }
    }

    private static final class Opened implements ReplicaThread.Equipment {
        private final Deque<Runnable> parts = new ArrayDeque<>();
        private Replica replica;

        @Override public Replica replica() {
            return replica;
        }

        /// The last first.
        @Override public void close() {
            while (!parts.isEmpty()) {
                parts.pop().run();
            }
        }
    }
}
