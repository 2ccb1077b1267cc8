package dev.retrograd.trainer.spark;

import dev.retrograd.trainer.Crew;
import java.io.Serializable;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.SparkDriverExecutionException;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import scala.Function1;
import scala.collection.Iterator;
import scala.reflect.ClassTag;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/// A Spark cluster: an update is a job with a task for each micro-batch. The weights are broadcast, and each task's gradients are added up as they come, in
/// the order of the micro-batches. Spark runs the tasks of a lost executor again elsewhere, and they give the same.
final class SparkCrew implements Crew {
    private final JavaSparkContext spark;
    private final String settings;

    /// @param settings of the run, as JSON
    SparkCrew(JavaSparkContext spark, String settings) {
        this.spark = spark;
        this.settings = settings;
    }

    /// Hands a result over on the driver.
    private static final class Handler extends AbstractFunction2<Object, Job.Result, BoxedUnit> {
        private final Done done;

        Handler(Done done) {
            this.done = done;
        }

        @Override public BoxedUnit apply(Object partition, Job.Result result) {
            done.take(result.number(), result.computed());
            done.progressed(result.units());
            return BoxedUnit.UNIT;
        }
    }

    /// A function that Spark can send.
    private interface Sent<T, R> extends Function1<T, R>, Serializable {
    }

    @Override public void compute(Work work, Here here, Done done) {
        List<Job.Task> tasks = IntStream.range(0, work.batches().size()).mapToObj(i -> new Job.Task(i, work.batches().get(i))).toList();
        Broadcast<Job.Shared> shared = spark.broadcast(new Job.Shared(settings, work.update(), work.weights().get(), work.recomputed().orElse(null)));
        try {
            JavaRDD<Job.Result> results = spark.parallelize(tasks, tasks.size()).map(task -> Executor.compute(shared.value(), task));
            run(results, new Handler(done));
        } catch (SparkDriverExecutionException e) {
            throw e.getCause() instanceof RuntimeException own ? own : failed(e);
        } catch (SparkException e) {
            // A signal stops Spark as well: then the run stops too, and is saved.
            done.progressed(0);
            throw failed(e);
        } finally {
            shared.destroy();
        }
    }

    /// @throws SparkException as Scala throws it, which declares nothing
    private void run(JavaRDD<Job.Result> results, Handler handler) throws SparkException {
        Sent<Iterator<Job.Result>, Job.Result> only = Iterator::next;
        spark.sc().runJob(results.rdd(), only, handler, ClassTag.apply(Job.Result.class));
    }

    private static IllegalStateException failed(SparkException e) {
        return new IllegalStateException("spark: a job failed: " + e.getMessage().lines().findFirst().orElse("no reason given"), e);
    }
}
