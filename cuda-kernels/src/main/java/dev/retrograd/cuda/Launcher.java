package dev.retrograd.cuda;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Launches kernels by name on one stream, loading each module the first time it is needed.
final class Launcher {
    static final int THREADS = 256;
    /// Types that activations may have.
    static final DType[] ACTIVATIONS = {DType.F32, DType.F16, DType.BF16};
    /// Dynamic shared memory that a kernel need not be allowed.
    private static final int SHARED_BYTES_UNASKED = 48 * 1024;
    private static final int BLOCKS_PER_MULTIPROCESSOR = 8;

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final LaunchArguments arguments = new LaunchArguments();
    private final Map<String, CudaDriver.Module> modules = new HashMap<>();
    private final Map<String, CudaDriver.Kernel> kernels = new HashMap<>();
    private final int mostBlocks;
    private long launches;

    Launcher(CudaDriver driver, CudaDriver.Stream stream) {
        this.driver = driver;
        this.stream = stream;
        mostBlocks = driver.device().multiprocessors() * BLOCKS_PER_MULTIPROCESSOR;
    }

    /// Empty arguments for the next launch.
    LaunchArguments arguments() {
        return arguments.clear();
    }

    /// The arguments written so far, for more of them.
    LaunchArguments added() {
        return arguments;
    }

    /// Launches with the arguments that were written last.
    ///
    /// @param module name of a PTX resource without its ending
    void launch(String module, String kernel, LaunchGrid grid) {
        launch(module, kernel, grid, 0);
    }

    /// The same for a kernel that takes dynamic shared memory.
    ///
    /// @param sharedBytes of each block; a kernel always takes the same or less than at first
    void launch(String module, String kernel, LaunchGrid grid, int sharedBytes) {
        CudaDriver.Kernel found = kernels.computeIfAbsent(kernel, k -> {
            CudaDriver.Kernel loaded = module(module).kernel(k);
            if (sharedBytes > SHARED_BYTES_UNASKED) {
                driver.allowSharedBytes(loaded, sharedBytes);
            }
            return loaded;
        });
        driver.launch(found, grid, sharedBytes, arguments, stream);
        launches++;
    }

    /// Counts a launch that another library made.
    void launchedElsewhere() {
        launches++;
    }

    /// Kernels launched so far, by themselves or in graphs.
    long launches() {
        return launches;
    }

    /// Launches over elements, each thread taking every so-manieth; nothing for 0 elements.
    void overElements(String module, String kernel, long elements) {
        if (elements > 0) {
            launch(module, kernel, LaunchGrid.of((int) Math.min(Math.ceilDiv(elements, THREADS), mostBlocks), THREADS));
        }
    }

    private CudaDriver.Module module(String name) {
        return modules.computeIfAbsent(name, n -> driver.load(n, PtxText.read(n)));
    }

    /// Device address of a tensor's first element.
    ///
    /// @throws IllegalStateException if it was freed
    /// @throws IllegalArgumentException if it belongs to another backend
    static long address(Tensor t) {
        if (t.storage() instanceof DevicePool.Block b) {
            return b.address() + t.byteOffset();
        }
        throw new IllegalArgumentException("cuda: " + t + " belongs to another backend");
    }

    /// The ending of kernels for this type: `f32`.
    static String suffix(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    /// The type of all these tensors.
    ///
    /// @throws DTypeException unless it is one of the allowed ones and the same in all
    static DType sameType(String kernel, DType[] allowed, Tensor... tensors) {
        DType type = tensors[0].dtype();
        if (!List.of(allowed).contains(type)) {
            throw new DTypeException(kernel + ": the type must be one of " + List.of(allowed) + ", got " + tensors[0]);
        }
        for (Tensor t : tensors) {
            if (t.dtype() != type) {
                throw new DTypeException(kernel + ": all must be " + type + ", got " + t);
            }
        }
        return type;
    }

    /// @throws ShapeException unless both have as many elements
    static void sameElements(String kernel, Tensor x, Tensor y) {
        if (x.elements() != y.elements()) {
            throw new ShapeException(kernel + ": as many elements are required in both, got " + x + " and " + y);
        }
    }
}
