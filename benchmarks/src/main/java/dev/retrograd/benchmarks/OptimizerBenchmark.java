package dev.retrograd.benchmarks;

import dev.retrograd.core.OptimizerKernels;
import dev.retrograd.core.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;

/// AdamW and the gradient's norm over 256 matrices of 3200 values, about the LoRA of rank 4 of SD1.5's attention projections; and the noise of a latent.
public class OptimizerBenchmark extends DeviceBenchmark {
    private static final int MATRICES = 256;
    private static final int VALUES = 3200;
    private static final int LATENT = 4 * 64 * 64;

    private final List<OptimizerKernels.AdamWWeight> weights = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();
    private Tensor[] touched;
    private Tensor norm;
    private Tensor factor;
    private Tensor uniforms;
    private Tensor noise;
    private long step;

    @Override void prepare() {
        List<Tensor> all = new ArrayList<>();
        for (int i = 0; i < MATRICES; i++) {
            Tensor v = tensors.vector(VALUES);
            device.fill(v, 1);
            weights.add(new OptimizerKernels.AdamWWeight(tensors.vector(VALUES), tensors.vector(VALUES), tensors.vector(VALUES), v));
            gradients.add(weights.getLast().grad());
            all.addAll(List.of(weights.getLast().grad(), weights.getLast().p(), weights.getLast().m(), v));
        }
        touched = all.toArray(Tensor[]::new);
        norm = tensors.vector();
        factor = tensors.vector();
        device.fill(factor, 1);
        uniforms = tensors.vector(1, LATENT);
        device.fill(uniforms, 0.5);
        noise = tensors.vector(1, LATENT);
    }

    @Benchmark public void adamw(Rate rate) {
        step++;
        device.adamw(new OptimizerKernels.AdamWStep(1e-3, 0.9, 0.999, 1e-8, 1e-4, step), factor, weights);
        ran(rate, 0, touched);
    }

    @Benchmark public void globalNorm(Rate rate) {
        device.globalNorm(gradients, norm);
        ran(rate, 0, gradients.toArray(Tensor[]::new));
    }

    /// Box and Muller's transform of a latent of 64×64.
    @Benchmark public void normals(Rate rate) {
        device.normals(uniforms, noise);
        ran(rate, 0, uniforms, noise);
    }
}
