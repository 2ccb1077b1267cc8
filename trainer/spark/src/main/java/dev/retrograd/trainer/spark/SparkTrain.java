package dev.retrograd.trainer.spark;

import dev.retrograd.trainer.cli.Cluster;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/// `train` with a cluster that computes the updates; its arguments are those of the command.
///
/// The driver samples the grids, plans, steps the optimiser and writes the run folder, as without a cluster.
public final class SparkTrain {
    private static final String MOST_RESULTS = "spark.driver.maxResultSize";

    private SparkTrain() {
    }

    /// Started by `spark-submit`; ends the process with the program's exit code.
    public static void main(String[] args) {
        PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, false, StandardCharsets.UTF_8);
        int code;
        try (JavaSparkContext spark = new JavaSparkContext(configured(new SparkConf()))) {
            code = train(spark, out, err, args);
        }
        System.exit(code);
    }

    /// Gradients are added up as they come, so their size altogether needs no limit.
    static SparkConf configured(SparkConf conf) {
        return conf.setIfMissing("spark.app.name", "retrograd").setIfMissing(MOST_RESULTS, "0");
    }

    /// @return the program's exit code
    static int train(JavaSparkContext spark, PrintWriter out, PrintWriter err, String... args) {
        return Cluster.train(settings -> new SparkCrew(spark, settings), out, err, args);
    }
}
