package dev.retrograd.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/// How often a driver is called for the kernels of a whole update that comes again.
class LaunchBenchmarkTest {
    private static final int UPDATES = 4;

    private static LaunchBenchmark.Calls lastOf(boolean graphs) throws IOException {
        LaunchBenchmark benchmark = new LaunchBenchmark();
        benchmark.graphs = graphs;
        benchmark.open();
        try {
            LaunchBenchmark.Calls calls = new LaunchBenchmark.Calls();
            for (int i = 0; i < UPDATES; i++) {
                calls = new LaunchBenchmark.Calls();
                benchmark.update(calls);
            }
            return calls;
        } finally {
            benchmark.close();
        }
    }

    @Test void anUpdateThatComesAgainIsAFewGraphs() throws IOException {
        LaunchBenchmark.Calls single = lastOf(false);
        LaunchBenchmark.Calls graphs = lastOf(true);
        assertEquals(single.launches, single.submissions, "each launch by itself");
        assertEquals(single.launches, graphs.launches, "the same kernels");
        assertTrue(graphs.submissions * 20 < graphs.launches, graphs.submissions + " submissions for " + graphs.launches + " launches");
    }
}
