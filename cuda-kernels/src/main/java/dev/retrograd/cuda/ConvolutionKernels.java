package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.Contest.Candidate;
import dev.retrograd.cuda.Cudnn.Direction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/// Launches `convolution_*.cu` on tensor cores, `convolution.cu` in float32: what {@link dev.retrograd.core.ConvolutionKernels} asks for.
final class ConvolutionKernels {
    private static final String MODULE = "convolution";
    private static final String LIBRARY = "cudnn";
    private static final DType[] F32 = {DType.F32};

    private final Launcher launcher;
    private final TensorCores cores;
    private final Optional<HopperConvolutions> hopper;
    private final Optional<Cudnn> cudnn;
    private final Optional<Contest> contest;

    /// @param hopper what convolves 16-bit operands where it can
    /// @param cudnn what does convolutions of operands and results of one type
    /// @param contest says which of these, or the kernels for every device, does a convolution; empty where the later one does all that it can
    ConvolutionKernels(Launcher launcher, TensorCores cores, Optional<HopperConvolutions> hopper, Optional<Cudnn> cudnn, Optional<Contest> contest) {
        this.launcher = launcher;
        this.cores = cores;
        this.hopper = hopper;
        this.cudnn = cudnn;
        this.contest = contest;
    }

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        forward(spec, x, w, 0, y);
    }

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Launcher.sameType("conv2d", F32, bias);
        if (bias.elements() != y.dim(3)) {
            throw new ShapeException("conv2d: a bias per channel of y is required, got " + bias + " for " + y);
        }
        forward(spec, x, w, address(bias), y);
    }

    private void forward(ConvSpec spec, Tensor x, Tensor w, long bias, Tensor y) {
        require("conv2d", spec, x, w, y);
        Product p = new Product(Direction.FORWARD, "fwd", x, x.dim(3), w, w.dim(3), y, bias, y.shape().rows(), y.dim(3), w.elements() / w.dim(0));
        launch("conv2d", spec, p, x, w, y);
    }

    void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        require("conv2dBackwardInput", spec, dx, w, dy);
        Product p = new Product(Direction.BACKWARD_DATA, "bwd_input", dy, dy.dim(3), w, w.dim(3), dx, 0, dx.shape().rows(), dx.dim(3), w.elements() / w.dim(3));
        launch("conv2dBackwardInput", spec, p, dx, w, dy);
    }

    void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        require("conv2dBackwardWeight", spec, x, dw, dy);
        Launcher.sameType("conv2dBackwardWeight", F32, dw);
        Product p = new Product(Direction.BACKWARD_FILTER, "bwd_weight", dy, dy.dim(3), x, x.dim(3), dw, 0, dw.dim(0), dw.elements() / dw.dim(0), dy.shape().rows());
        launch("conv2dBackwardWeight", spec, p, x, dw, dy);
    }

    /// A convolution, or a gradient of it, as a product of [m,k] and [k,n].
    ///
    /// @param name of the direction in kernels' names
    /// @param leftChannels what a chunk of the left operand must not straddle
    private record Product(Direction direction, String name, Tensor left, int leftChannels, Tensor right, int rightChannels, Tensor result, long bias, long m, long n, long k) {
    }

    /// All that the time of a convolution depends on.
    private record ConvolutionShape(Direction direction, DType left, DType right, DType result, boolean bias, boolean aligned, List<Integer> geometry) {
        @Override public String toString() {
            String sizes = "%dx%dx%dx%d to %dx%dx%d kernel %dx%d stride %d pad %d,%d".formatted(geometry.toArray());
            return "conv " + direction.name().toLowerCase(Locale.ROOT).replace('_', ' ') + " " + left + (right == left ? "" : "," + right) + " " + result + " " + sizes + (bias ? " bias" : "")
                    + (aligned ? "" : " unaligned");
        }
    }

    private void launch(String where, ConvSpec spec, Product p, Tensor x, Tensor w, Tensor y) {
        Optional<DType> type = cores.type(where, p.result, p.left, p.right);
        if (p.result.elements() == 0) {
            return;
        }
        int[] geometry = {x.dim(0), x.dim(1), x.dim(2), x.dim(3), y.dim(1), y.dim(2), y.dim(3), w.dim(1), w.dim(2), spec.stride(), spec.padTop(), spec.padLeft()};
        List<Candidate> candidates = new ArrayList<>();
        candidates.add(new Candidate("ptx", () -> onEveryDevice(type, p, geometry)));
        boolean forward = p.direction == Direction.FORWARD;
        if (hopper.isPresent() && type.isPresent() && p.direction != Direction.BACKWARD_FILTER && HopperConvolutions.takes(type.get(), spec, forward, p.left, p.right)) {
            candidates.add(new Candidate("hopper", () -> hopper.get().launch(type.get(), spec, forward, p.left, p.right, TensorCores.Finish.of(p.result, p.n, p.bias, false, 1))));
        }
        if (cudnn.isPresent() && x.dtype() == w.dtype() && w.dtype() == y.dtype() && p.k > 0) {
            Cudnn.Convolution c = new Cudnn.Convolution(p.direction, x.dtype(), x.dim(0), x.dim(1), x.dim(2), x.dim(3), w.dim(1), w.dim(2), spec.stride(), spec.padTop(), spec.padLeft(),
                    y.dim(1), y.dim(2), y.dim(3));
            if (libraryTakes(cudnn.get(), c, address(x), address(w), address(y))) {
                candidates.add(new Candidate(LIBRARY, () -> byLibrary(cudnn.get(), c, p, x, w, y)));
            }
        }
        if (contest.isPresent()) {
            boolean aligned = (address(x) | address(w) | address(y)) % TensorCores.CHUNK_BYTES == 0;
            ConvolutionShape shape = new ConvolutionShape(p.direction, p.left.dtype(), p.right.dtype(), p.result.dtype(), p.bias != 0, aligned, Arrays.stream(geometry).boxed().toList());
            contest.get().run(new Contest.Work(shape, List.of(p.result), false, type), candidates);
        } else {
            candidates.getLast().work().run();
        }
    }

    private boolean libraryTakes(Cudnn with, Cudnn.Convolution c, long... addresses) {
        try {
            return with.takes(c, addresses);
        } catch (CudaException e) {
            if (contest.isEmpty()) {
                throw e;
            }
            contest.get().distrust(LIBRARY, e.getMessage());
            return false;
        }
    }

    private void byLibrary(Cudnn with, Cudnn.Convolution c, Product p, Tensor x, Tensor w, Tensor y) {
        with.run(c, address(x), address(w), address(y));
        launcher.launchedElsewhere();
        if (p.bias != 0) {
            cores.finish(TensorCores.Finish.of(p.result, p.n, p.bias, false, 1), p.m);
        }
    }

    private void onEveryDevice(Optional<DType> type, Product p, int... geometry) {
        LaunchArguments arguments = launcher.arguments().i64s(TensorCores.data(type.orElse(DType.F32), p.left, p.leftChannels))
                .i64s(TensorCores.data(type.orElse(DType.F32), p.right, p.rightChannels));
        if (type.isPresent()) {
            onTensorCores(type.get(), p, arguments, withDivisors(geometry));
        } else {
            arguments.i64s(address(p.result), p.bias, 0).i32s(withDivisors(geometry));
            launcher.launch(MODULE, MODULE + "_" + p.name + "_" + suffix(DType.F32), LaunchGrid.of(Math.toIntExact(Math.ceilDiv(p.m, MatrixKernels.TILE)),
                    Math.toIntExact(Math.ceilDiv(p.n, MatrixKernels.TILE)), 1, Launcher.THREADS));
        }
    }

    private void onTensorCores(DType type, Product p, LaunchArguments operands, int... geometry) {
        String name = TensorCores.name(type);
        Tile tile = cores.tile(p.m, p.n, 1, Tile.values());
        int splits = tile.splits(p.m, p.n, p.k, 1, cores.multiprocessors(), cores.workspaceBytes());
        TensorCores.Finish finish = TensorCores.Finish.of(p.result, p.n, p.bias, false, 1);
        operands.i64s(cores.struct(finish)).i32s(geometry).i32(splits);
        cores.launch(MODULE + "_" + name, MODULE + "_" + p.name + "_" + name, tile, finish, p.m, p.n, 1, splits);
    }

    /// The struct `Geometry`: b, h, w, i, ho, wo, o, kh, kw, s, top, left, then the divisors h, w, i, ho, wo, o, kw, s.
    private static int[] withDivisors(int... g) {
        return IntStream.concat(IntStream.of(g), IntStream.of(1, 2, 3, 4, 5, 6, 8, 9).flatMap(i -> IntStream.of(divisor(g[i])))).toArray();
    }

    /// The struct `Divisor`: a division of a number below 2³¹ as a multiplication. Source: Granlund and Montgomery, PLDI 1994, theorem 4.2.
    private static int[] divisor(int d) {
        int log = Integer.SIZE - Integer.numberOfLeadingZeros(d - 1);
        return new int[] {d, d == 1 ? 0 : (int) Math.ceilDiv(1L << 31 + log, (long) d), Math.max(0, log - 1)};
    }

    private static void require(String kernel, ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        Launcher.sameType(kernel, new DType[] {DType.F32, DType.F16, DType.BF16}, x, y);
        boolean fits = x.shape().rank() == 4 && w.shape().rank() == 4 && y.shape().rank() == 4 && w.dim(1) == spec.kernelHeight() && w.dim(2) == spec.kernelWidth()
                && w.dim(3) == x.dim(3) && y.dim(0) == x.dim(0) && y.dim(1) == spec.outHeight(x.dim(1)) && y.dim(2) == spec.outWidth(x.dim(2)) && y.dim(3) == w.dim(0);
        if (!fits) {
            throw new ShapeException(kernel + ": " + spec + " takes x [B,H,W,I], w [O,Kh,Kw,I], y [B,Ho,Wo,O], got " + x + ", " + w + ", " + y);
        }
    }
}
