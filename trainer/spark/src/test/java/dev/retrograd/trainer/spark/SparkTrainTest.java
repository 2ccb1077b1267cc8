package dev.retrograd.trainer.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.trainer.Crew;
import dev.retrograd.trainer.cli.Cluster;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Serializable;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A cluster of two executors, each a process of its own on this machine.
class SparkTrainTest {
    private static final String LORA = "lora/pytorch_lora_weights.safetensors";
    private static final int EXECUTORS = 2;
    private static JavaSparkContext spark;

    @TempDir
    private Path folder;

    @BeforeAll static void start() throws IOException {
        // What Spark looks for to tell an installation, with nothing in it: the executors get this test's class path.
        Path home = Path.of(System.getenv("SPARK_HOME"));
        Files.createDirectories(home.resolve("jars"));
        Files.write(home.resolve("RELEASE"), new byte[0]);
        spark = new JavaSparkContext(SparkTrain.configured(new SparkConf(false)
                .setMaster("local-cluster[" + EXECUTORS + ",1,1024]")
                .set("spark.ui.enabled", "false")
                .set("spark.executor.memory", "1024m")
                .set("spark.executorEnv.JAVA_HOME", System.getProperty("java.home"))
                .set("spark.executor.extraClassPath", System.getProperty("java.class.path"))
                .set("spark.scheduler.minRegisteredResourcesRatio", "1")));
    }

    @AfterAll static void stop() {
        spark.close();
    }

    /// Four images, each a micro-batch of its own.
    private Path train(String name, Cluster.Crews crews, String... further) {
        Path run = folder.resolve(name);
        List<String> arguments = new ArrayList<>(List.of("--model=" + Golden.path("ci-sd/model"), "--reward=compressibility", "--prompts=animals", "--device=cpu", "--batch-size=4", "--micro-batch-size=1",
                "--steps=2", "--height=16", "--width=16", "--diversity-prompts=0", "--sample-every=0", "--output=" + run));
        arguments.addAll(Arrays.asList(further));
        StringWriter err = new StringWriter();
        int code = Cluster.train(crews, new PrintWriter(new StringWriter()), new PrintWriter(err), arguments.toArray(String[]::new));
        assertEquals("", err.toString());
        assertEquals(0, code);
        return run;
    }

    private static Crew cluster(String settings) {
        return new SparkCrew(spark, settings);
    }

    private static void assertSame(Path expected, Path got) throws IOException {
        assertArrayEquals(Files.readAllBytes(expected.resolve(LORA)), Files.readAllBytes(got.resolve(LORA)));
    }

    /// Follows which executors run tasks.
    private static class Watch extends SparkListener {
        private final Set<String> executors = ConcurrentHashMap.newKeySet();

        @Override public void onTaskEnd(SparkListenerTaskEnd end) {
            executors.add(end.taskInfo().executorId());
        }
    }

    @Test void fourPartitionsEqualOneWorkerWithFourMicroBatches() throws IOException {
        Path alone = train("alone", _ -> Crew.ALONE, "--updates=3", "--track=jpeg-size");
        Watch watch = new Watch();
        spark.sc().addSparkListener(watch);
        Path spread = train("spread", SparkTrainTest::cluster, "--updates=3", "--track=jpeg-size");
        spark.sc().removeSparkListener(watch);
        assertSame(alone, spread);
        assertEquals(3, Files.readAllLines(spread.resolve("metrics.jsonl")).size());
        assertTrue(watch.executors.size() >= EXECUTORS, "executors that computed: " + watch.executors);
    }

    @Test void methodsThatSampleFirstAreSpreadAsWell() throws IOException {
        String[] ddpo = {"--method=ddpo", "--updates=2", "--ddpo-updates-per-epoch=2"};
        assertSame(train("alone", _ -> Crew.ALONE, ddpo), train("spread", SparkTrainTest::cluster, ddpo));
    }

    private record Process(String executor, long pid) implements Serializable {
    }

    /// The executors' processes by their names, as soon as all have been heard of.
    private static Map<String, Long> processes() {
        Map<String, Long> all = new HashMap<>();
        while (all.size() < EXECUTORS) {
            spark.parallelize(List.of(0, 1, 2, 3), 4).map(_ -> new Process(SparkEnv.get().executorId(), ProcessHandle.current().pid())).collect().forEach(p -> all.put(p.executor(), p.pid()));
        }
        return all;
    }

    /// Kills the executor of the sixth task, which belongs to the second update, as it begins.
    private static final class Killer extends SparkListener {
        private final Map<String, Long> processes = processes();
        private final AtomicReference<String> killed = new AtomicReference<>();
        private int started;

        @Override public void onTaskStart(SparkListenerTaskStart start) {
            started++;
            if (started == 6) {
                String executor = start.taskInfo().executorId();
                ProcessHandle.of(processes.get(executor)).orElseThrow().destroyForcibly();
                killed.set(executor);
            }
        }
    }

    @Test void aKilledExecutorCostsTimeOnly() throws IOException {
        Path alone = train("alone", _ -> Crew.ALONE, "--updates=3");
        Killer killer = new Killer();
        spark.sc().addSparkListener(killer);
        Path survived = train("survived", SparkTrainTest::cluster, "--updates=3");
        spark.sc().removeSparkListener(killer);
        assertTrue(killer.killed.get() != null, "an executor was killed");
        assertSame(alone, survived);
    }
}
