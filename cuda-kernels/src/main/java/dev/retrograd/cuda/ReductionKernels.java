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
    private static final DType[] F32 = {DType.F32};
    private static final DType[] FLOATS = {DType.F32, DType.F64, DType.F16, DType.BF16};
    private static final int COLUMNS = 32;
    private static final int ROWS = 8;
    private static final int PARTIAL_SUMS = 256;
    private static final long PARTIAL_BYTES = PARTIAL_SUMS * (long) Double.BYTES;

    private final Launcher launcher;
    private final CudaDriver driver;
    private final TensorTable summed;
    private final long partial;

    ReductionKernels(Launcher launcher, CudaDriver driver, CudaDriver.Stream stream) {
        this.launcher = launcher;
        this.driver = driver;
        summed = new TensorTable(driver, stream);
        partial = driver.allocate(PARTIAL_BYTES);
    }

    /// Bytes that the global norm's table of tensors and its partial sums take.
    static long workspaceBytes() {
        return TensorTable.bytes() + PARTIAL_BYTES;
    }

    void sumTo(Tensor x, double scale, Tensor y) {
        DType type = sameType("sumTo", FLOATS, x);
        sameType("sumTo", type.bytes() == 2 ? new DType[] {type, DType.F32} : new DType[] {type}, y);
        String types = suffix(type) + "_" + suffix(y.dtype());
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
            launcher.launch(MODULE, "sum_to_columns_" + types, new LaunchGrid(Math.toIntExact(Math.ceilDiv(y.elements(), COLUMNS)), 1, 1, COLUMNS, ROWS, 1));
        } else {
            arguments.i64(count).i64s(kept.struct()).i64s(reduced.struct());
            launcher.launch(MODULE, "sum_to_rows_" + types, LaunchGrid.of(Math.toIntExact(y.elements()), Launcher.THREADS));
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
        DType type = sameType("broadcastTo", FLOATS, x, y);
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

    /// Two launches, however many tensors: partial sums of all, and their root.
    void globalNorm(List<Tensor> xs, Tensor y) {
        sameType("globalNorm", F32, y);
        List<Tensor[]> rows = xs.stream().filter(x -> x.elements() > 0).map(x -> new Tensor[] {x}).toList();
        xs.forEach(x -> sameType("globalNorm", F32, x));
        boolean[] launched = {false};
        TensorTable.inLaunches(rows, part -> {
            TensorTable.Rows table = summed.of(part);
            launcher.arguments().i64(table.address()).i32(table.count()).i64(table.chunks()).i64(partial).i32(launched[0] ? 0 : 1);
            launcher.launch(MODULE, "square_sum_f32", LaunchGrid.of(PARTIAL_SUMS, Launcher.THREADS));
            launched[0] = true;
        });
        launcher.arguments().i64(partial).i32(launched[0] ? PARTIAL_SUMS : 0).i64(address(y));
        launcher.launch(MODULE, "norm_f32", LaunchGrid.of(1, Launcher.THREADS));
    }

    @Override public void close() {
        summed.close();
        driver.free(partial);
    }
}
