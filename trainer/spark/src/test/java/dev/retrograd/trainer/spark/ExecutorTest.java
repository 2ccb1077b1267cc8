package dev.retrograd.trainer.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.apache.spark.resource.ResourceInformation;
import org.junit.jupiter.api.Test;

class ExecutorTest {
    @Test void aTaskComputesOnTheGpuThatSparkGivesItElseOnTheCpu() {
        assertEquals("cuda:3", Executor.device(Map.of("gpu", new ResourceInformation("gpu", new String[] {"3"}))));
        assertEquals("cpu", Executor.device(Map.of()));
        assertEquals("cpu", Executor.device(Map.of("fpga", new ResourceInformation("fpga", new String[] {"0"}))));
    }
}
