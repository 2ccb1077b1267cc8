package dev.retrograd.benchmarks;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;

/// The differentiable JPEG of an image of 512×512, many small kernels, as the reward that training raises.
public class JpegBenchmark extends DeviceBenchmark {
    private JpegCompressibility reward;
    private Tensor pixels;

    @Override void prepare() {
        reward = new JpegCompressibility(device, FileSizeGoal.SMALLER);
        pixels = tensors.vector(1, 512, 512, 3);
        device.linearCombination(0.5, new double[] {0.5}, new Tensor[] {pixels}, pixels);
    }

    @Override public void close() {
        reward.close();
        super.close();
    }

    @Benchmark public void forward(Rate rate) {
        try (Scope _ = device.memory().open("forward"); Tape tape = new Tape(device, Segment.Policy.STORE_ALL)) {
            tape.unrecorded(() -> reward.score(tape.constant(pixels), List.of("")));
            ran(rate, 0, pixels);
        }
    }

    /// Forward and backward.
    @Benchmark public void gradient(Rate rate) {
        try (Scope _ = device.memory().open("gradient"); Tape tape = new Tape(device, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(device)) {
            tape.backward(reward.score(tape.input(pixels), List.of("")).apply(SumTo.all()), gradients);
            ran(rate, 0, pixels, pixels);
        }
    }
}
