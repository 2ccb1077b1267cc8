package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.OptimizerKernels.AdamWWeight;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.util.List;
import java.util.stream.IntStream;

/// Launches `optimizer.cu`: what {@link dev.retrograd.core.OptimizerKernels} asks for, all parameters in one launch.
final class OptimizerKernels implements AutoCloseable {
    private static final String MODULE = "optimizer";
    private static final DType[] F32 = {DType.F32};

    private final Launcher launcher;
    private final TensorTable weights;
    private final TensorTable averaged;

    OptimizerKernels(Launcher launcher, CudaDriver driver, CudaDriver.Stream stream) {
        this.launcher = launcher;
        weights = new TensorTable(driver, stream);
        averaged = new TensorTable(driver, stream);
    }

    /// Bytes that the tables of tensors take.
    static long workspaceBytes() {
        return 2 * TensorTable.bytes();
    }

    void adamw(AdamWStep step, Tensor gradientScale, List<AdamWWeight> all) {
        Launcher.sameType("adamw", F32, gradientScale);
        List<Tensor[]> rows = all.stream().map(w -> row("adamw", w.grad(), w.p(), w.m(), w.v())).toList();
        TensorTable.inLaunches(rows, part -> {
            TensorTable.Rows table = weights.of(part);
            launcher.arguments().i64(table.address()).i32(table.count()).i64(address(gradientScale))
                    .f64(1 - step.learningRate() * step.weightDecay()).f64(step.beta1()).f64(step.beta2())
                    .f64(step.learningRate() / (1 - Math.pow(step.beta1(), step.t()))).f64(1 / Math.sqrt(1 - Math.pow(step.beta2(), step.t()))).f64(step.eps());
            perChunk("adamw_f32", table);
        });
    }

    /// @throws ShapeException unless there are as many values as averages
    void average(double decay, List<Tensor> averages, List<Tensor> values) {
        if (averages.size() != values.size()) {
            throw new ShapeException("average: as many values as averages are required, got " + values.size() + " and " + averages.size());
        }
        List<Tensor[]> rows = IntStream.range(0, averages.size()).mapToObj(i -> row("average", averages.get(i), values.get(i))).toList();
        TensorTable.inLaunches(rows, part -> {
            TensorTable.Rows table = averaged.of(part);
            launcher.arguments().i64(table.address()).i32(table.count()).f64(decay);
            perChunk("average_f32", table);
        });
    }

    private static Tensor[] row(String what, Tensor... tensors) {
        Launcher.sameType(what, F32, tensors);
        for (Tensor t : tensors) {
            Launcher.sameElements(what, t, tensors[0]);
        }
        return tensors;
    }

    private void perChunk(String kernel, TensorTable.Rows table) {
        if (table.chunks() > 0) {
            launcher.launch(MODULE, kernel, LaunchGrid.of(Math.toIntExact(table.chunks()), Launcher.THREADS));
        }
    }

    void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        Launcher.sameType("clipFactor", F32, norm, y);
        launcher.arguments().i64(address(norm)).f64(maxNorm).i64(address(y));
        launcher.launch(MODULE, "clip_factor_f32", LaunchGrid.of(1, 1));
    }

    @Override public void close() {
        weights.close();
        averaged.close();
    }
}
