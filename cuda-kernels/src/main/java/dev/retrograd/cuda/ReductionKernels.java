package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.sameType;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.util.List;

/// Launches `reduction.cu`: what {@link dev.retrograd.core.ReductionKernels} asks for.
final class ReductionKernels implements AutoCloseable {
    private static final String MODULE = "reduction";
    private static final int COLUMNS = 32;
    private static final int ROWS = 8;
    private static final int PARTIAL_SUMS = 64;

    private final Launcher launcher;
    private final CudaDriver driver;
    private final long partial;

    ReductionKernels(Launcher launcher, CudaDriver driver) {
        this.launcher = launcher;
        this.driver = driver;
        partial = driver.allocate(workspaceBytes());
    }

    /// Bytes that the global norm's partial sums take.
    long workspaceBytes() {
        return PARTIAL_SUMS * (long) Double.BYTES;
    }

    void sumTo(Tensor x, double scale, Tensor y) {
        DType type = sameType("sumTo", ElementwiseKernels.FLOATS, x, y);
        requireBroadcast("sumTo", y, x);
        if (y.elements() == 0) {
            return;
        }
        Strides kept = axes(x.shape(), y.shape(), true);
        Strides reduced = axes(x.shape(), y.shape(), false);
        long count = x.elements() / y.elements();
        boolean columns = kept.rank() > 0 && kept.strides()[0][kept.rank() - 1] == 1;
        LaunchArguments arguments = launcher.arguments().i64(address(x)).i64(address(y)).f64(scale);
        if (columns) {
            arguments.i64(y.elements()).i64(count).i64s(kept.struct()).i64s(reduced.struct());
            launcher.launch(MODULE, "sum_to_columns_" + suffix(type), new LaunchGrid(Math.toIntExact(Math.ceilDiv(y.elements(), COLUMNS)), 1, 1, COLUMNS, ROWS, 1));
        } else {
            arguments.i64(count).i64s(kept.struct()).i64s(reduced.struct());
            launcher.launch(MODULE, "sum_to_rows_" + suffix(type), LaunchGrid.of(Math.toIntExact(y.elements()), Launcher.THREADS));
        }
    }

    /// The axes of x that y keeps, or those that it sums over, with x's strides.
    private static Strides axes(Shape x, Shape y, boolean kept) {
        int rank = x.rank();
        long[] sizes = new long[rank];
        long[][] strides = new long[1][rank];
        for (int i = 0; i < rank; i++) {
            int at = i - rank + y.rank();
            boolean keeps = at >= 0 && y.dim(at) == x.dim(i);
            sizes[i] = keeps == kept ? x.dim(i) : 1;
            strides[0][i] = x.span(i + 1, rank);
        }
        return Strides.collapsed("sumTo", sizes, strides);
    }

    void broadcastTo(Tensor x, double scale, Tensor y) {
        DType type = sameType("broadcastTo", ElementwiseKernels.FLOATS, x, y);
        requireBroadcast("broadcastTo", x, y);
        launcher.arguments().i64(address(x)).i64(address(y)).f64(scale).i64(y.elements())
                .i64s(Strides.broadcast("broadcastTo", y.shape(), x.shape()).struct());
        launcher.overElements(MODULE, "broadcast_to_" + suffix(type), y.elements());
    }

    private static void requireBroadcast(String kernel, Tensor small, Tensor large) {
        if (!small.shape().broadcastsTo(large.shape())) {
            throw new ShapeException(kernel + ": the smaller shape must broadcast to the larger, got " + small + " and " + large);
        }
    }

    void globalNorm(List<Tensor> xs, Tensor y) {
        sameType("globalNorm", new DType[] {DType.F32}, y);
        boolean first = true;
        for (Tensor x : xs) {
            sameType("globalNorm", new DType[] {DType.F32}, x);
            launcher.arguments().i64(address(x)).i64(x.elements()).i64(partial).i32(first ? 1 : 0);
            launcher.launch(MODULE, "square_sum_f32", LaunchGrid.of(PARTIAL_SUMS, Launcher.THREADS));
            first = false;
        }
        launcher.arguments().i64(partial).i32(first ? 0 : PARTIAL_SUMS).i64(address(y));
        launcher.launch(MODULE, "norm_f32", LaunchGrid.of(1, 1));
    }

    @Override public void close() {
        driver.free(partial);
    }
}
