package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Tensor;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/// What launches on tensor cores share: the type that a product is computed in, operands and results as the kernels take them (`tensor.cuh`,
/// `epilogue.cuh`), and the workspace that split sums go through.
final class TensorCores implements AutoCloseable {
    static final int SILU = 1;
    static final int GELU = 2;
    private static final int GEGLU = 3;
    static final int CHUNK_BYTES = 16;
    private static final long FINISHED_AT_ONCE = 4;
    private static final long WORKSPACE_PER_MULTIPROCESSOR = 64 << 10;

    private final Launcher launcher;
    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final Optional<KernelChoices> measured;
    private final DType activations;
    private Optional<TileSpeeds> speeds = Optional.empty();
    private final boolean tf32;
    private final int multiprocessors;
    private final long workspace;

    /// @param measured keeps the tiles' speeds where they are measured; empty for the table's
    TensorCores(Launcher launcher, CudaDriver driver, CudaDriver.Stream stream, Precision precision, Optional<KernelChoices> measured) {
        this.launcher = launcher;
        this.driver = driver;
        this.stream = stream;
        this.measured = measured;
        activations = precision.activations();
        tf32 = precision == Precision.TF32;
        multiprocessors = driver.device().multiprocessors();
        workspace = driver.allocate(workspaceBytes());
    }

    long workspaceBytes() {
        return multiprocessors * WORKSPACE_PER_MULTIPROCESSOR;
    }

    int multiprocessors() {
        return multiprocessors;
    }

    /// The fastest tile for a batch of products of m × n results, as {@link Tile#choose}. Where speeds are measured, that is done at the first call.
    Tile tile(long m, long n, long batch, Tile... among) {
        if (speeds.isEmpty()) {
            speeds = Optional.of(measured.map(this::measured).orElseGet(() -> TileSpeeds.table(driver.device().computeCapability())));
        }
        return Tile.choose(m, n, batch, multiprocessors, speeds.get(), among);
    }

    private TileSpeeds measured(KernelChoices choices) {
        String text = choices.choose("tiles " + name(activations), t -> TileSpeeds.parse(t).isPresent(), () -> new TileTimer(launcher, driver, stream, activations).measure().toString());
        return TileSpeeds.parse(text).orElseThrow();
    }

    /// The type that operands are multiplied in: that of a result of 16 bits, or of all operands if they have 16; tf32 for the rest where the backend
    /// was asked for it; otherwise none, and the product runs in float32 on fused multiply-adds.
    ///
    /// @throws DTypeException for two different types of 16 bits, or others than floating ones of up to 32
    Optional<DType> type(String where, Tensor y, Tensor... operands) {
        DType narrow = Arrays.stream(operands).map(Tensor::dtype).allMatch(t -> t == operands[0].dtype()) ? operands[0].dtype() : DType.F32;
        DType type = y.dtype() == DType.F32 ? narrow : y.dtype();
        for (Tensor t : operands) {
            boolean known = t.dtype() == DType.F32 || t.dtype() == DType.F16 || t.dtype() == DType.BF16;
            if (!known || type != DType.F32 && t.dtype() != DType.F32 && t.dtype() != type) {
                throw new DTypeException(where + ": operands must be F32 or one type of 16 bits, got " + Arrays.toString(operands) + " for " + y);
            }
        }
        if (type == DType.F64 || !type.floating()) {
            throw new DTypeException(where + ": a result of F32, F16 or BF16 is required, got " + y);
        }
        return type != DType.F32 || tf32 ? Optional.of(type) : Optional.empty();
    }

    /// As modules and entries call the type: `bf16`, `f16`, `tf32`.
    static String name(DType type) {
        return type == DType.F32 ? "tf32" : type.name().toLowerCase(Locale.ROOT);
    }

    private static long code(DType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 1;
            case BF16 -> 2;
            default -> throw new AssertionError(type);
        };
    }

    /// The struct `Data`.
    ///
    /// @param stride elements between lines, and in a convolution the channels: chunks are whole where they are a multiple of one
    static long[] data(DType type, Tensor t, long stride) {
        boolean fast = t.dtype() == type && address(t) % CHUNK_BYTES == 0 && stride * t.dtype().bytes() % CHUNK_BYTES == 0;
        return new long[] {address(t), code(t.dtype()), fast ? 1 : 0};
    }

    /// The struct `Plain` of a matrix in memory, of rank 2 or batched.
    static long[] plain(DType type, Tensor t) {
        long length = t.dim(-1);
        long lines = t.dim(-2);
        boolean batched = t.shape().rank() > 2;
        long[] d = data(type, t, length);
        return new long[] {d[0], d[1], d[2], length, batched ? lines * length * t.dtype().bytes() : 0, lines, length, 0};
    }

    /// The same of one matrix of the type that is multiplied in, aligned as a chunk is.
    static long[] plain(DType type, long address, long lines, long length) {
        return new long[] {address, code(type), 1, length, 0, lines, length, 0};
    }

    /// The struct `Finish` of sums that are stored as they are, rounded to the type that is multiplied in.
    static long[] store(DType type, long address, long columns) {
        return new long[] {address, 0, 0, 0, code(type), 0, 0, columns, 1, Double.doubleToRawLongBits(1), 0};
    }

    /// What a product does with its sums, the struct `Finish`.
    ///
    /// @param columns of the result, y's last axis or several
    /// @param bias address of the float32 bias, or 0
    /// @param activation 0 none, 1 SiLU, 2 GELU, 3 GEGLU
    /// @param hidden where a gated product's columns go before they are multiplied
    record Finish(Tensor y, long columns, long bias, boolean accumulate, double scale, int activation, Optional<Tensor> residual, Optional<Tensor> hidden) {
        static Finish of(Tensor y, long columns, long bias, boolean accumulate, double scale) {
            return new Finish(y, columns, bias, accumulate, scale, 0, Optional.empty(), Optional.empty());
        }

        Finish activated(int code) {
            return new Finish(y, columns, bias, accumulate, scale, code, residual, hidden);
        }

        /// What a library that adds up products leaves to be done.
        Finish after() {
            return new Finish(y, columns, bias, false, 1, activation, residual.filter(r -> !inPlace()), hidden);
        }

        /// Whether that is anything.
        boolean follows() {
            return bias != 0 || activation != 0 || residual.isPresent() && !inPlace();
        }

        /// Whether y holds the residual.
        boolean inPlace() {
            return residual.isPresent() && address(residual.get()) == address(y);
        }

        boolean gated() {
            return hidden.isPresent();
        }

        Finish plus(Tensor other) {
            return new Finish(y, columns, bias, accumulate, scale, activation, Optional.of(other), hidden);
        }

        Finish gated(Tensor before) {
            return new Finish(y, columns, bias, accumulate, scale, GEGLU, residual, Optional.of(before));
        }

        private long[] struct(long workspace) {
            long residualAddress = residual.map(Launcher::address).orElse(0L);
            long hiddenAddress = hidden.map(Launcher::address).orElse(0L);
            boolean aligned = (address(y) | residualAddress | hiddenAddress) % CHUNK_BYTES == 0 && columns % 4 == 0;
            return new long[] {address(y), bias, residualAddress, workspace, code(y.dtype()), accumulate ? 1 : 0, activation, columns, aligned ? 1 : 0,
                Double.doubleToRawLongBits(scale), hiddenAddress};
        }
    }

    long[] struct(Finish finish) {
        return finish.struct(workspace);
    }

    /// Bias, activation and residual for a product that another library has put into y, in y's place.
    void finish(Finish finish, long rows) {
        launcher.arguments().i64s(struct(finish)).i64(rows);
        launcher.overElements("matmul", "matmul_finish", rows * Math.ceilDiv(finish.columns, FINISHED_AT_ONCE));
    }

    /// Empty arguments for the next launch.
    LaunchArguments arguments() {
        return launcher.arguments();
    }

    /// Launches, with the arguments that were written last, and adds up what was split.
    void launch(String module, String kernel, Tile tile, Finish finish, long m, long n, long batch, int splits) {
        launch(module, kernel + "_" + tile.suffix(), tile.grid(m, n, batch, splits), 0, finish, m, n, batch, splits);
    }

    /// The same for a kernel of another grid.
    ///
    /// @param sharedBytes dynamic shared memory of each block
    void launch(String module, String kernel, LaunchGrid grid, int sharedBytes, Finish finish, long m, long n, long batch, int splits) {
        launcher.launch(module, kernel, grid, sharedBytes);
        if (splits > 1) {
            launcher.arguments().i64s(struct(finish)).i64(m).i64(n).i64(batch).i32(splits);
            launcher.overElements("matmul", "matmul_sum_splits", m * n * batch);
        }
    }

    @Override public void close() {
        driver.free(workspace);
    }
}
