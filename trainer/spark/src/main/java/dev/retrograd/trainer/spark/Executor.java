package dev.retrograd.trainer.spark;

import dev.retrograd.trainer.Computed;
import dev.retrograd.trainer.ReplicaThread;
import dev.retrograd.trainer.cli.Cluster;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/// An executor's part: a replica on each of its devices, which stays as long as the executor does or until another run comes.
final class Executor {
    private static final String GPU = "gpu";

    /// The executor's own state: Spark gives tasks no other place that outlives them.
    private static final Executor INSTANCE = new Executor();

    private final Map<String, Resident> residents = new HashMap<>();

    /// A replica of a run's settings.
    private record Resident(String settings, ReplicaThread replica) {
    }

    private Executor() {
    }

    /// Computes a micro-batch on the device that Spark gives the present task.
    static Job.Result compute(Job.Shared shared, Job.Task task) throws IOException {
        return INSTANCE.compute(device(TaskContext.get().resourcesJMap()), shared, task);
    }

    /// `cuda:N` where Spark schedules GPUs, which it numbers as the driver does, else the CPU.
    static String device(Map<String, ResourceInformation> given) {
        return given.containsKey(GPU) ? "cuda:" + given.get(GPU).addresses()[0] : "cpu";
    }

    private Job.Result compute(String device, Job.Shared shared, Job.Task task) throws IOException {
        AtomicLong units = new AtomicLong();
        // Weights and micro-batch in one go: another task of this executor may be of another update.
        Computed computed = resident(device, shared.settings()).call(replica -> {
            replica.follow(shared.weights(), shared.plan());
            return replica.compute(shared.update(), task.batch(), units::addAndGet);
        });
        return new Job.Result(task.number(), computed, units.get());
    }

    private synchronized ReplicaThread resident(String device, String settings) throws IOException {
        Resident known = residents.get(device);
        if (known != null && known.settings().equals(settings)) {
            return known.replica();
        }
        if (known != null) {
            residents.remove(device);
            known.replica().close();
        }
        ReplicaThread fresh = new ReplicaThread("replica-" + device, Cluster.replica(settings, device));
        residents.put(device, new Resident(settings, fresh));
        return fresh;
    }
}
