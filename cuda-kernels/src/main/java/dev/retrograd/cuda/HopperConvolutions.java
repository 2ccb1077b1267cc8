package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.MatrixKernels;
import dev.retrograd.core.Tensor;

/// Launches `convolution_sm90_*.cu`: convolutions and their input gradients on the warpgroups of compute capability 9.0, whose pixels bulk copies bring. Kernels
/// of one tap that sees every pixel as it is are products of matrices.
final class HopperConvolutions {
    private static final int MOST_STRIDE = 2;
    /// log2 of the pixels of a box.
    private static final int LOG_PIXELS = Integer.numberOfTrailingZeros(Ring.ROWS);

    private final TensorCores cores;
    private final CudaDriver driver;
    private final HopperProducts products;

    HopperConvolutions(TensorCores cores, CudaDriver driver, HopperProducts products) {
        this.cores = cores;
        this.driver = driver;
        this.products = products;
    }

    /// The pixels of a result that a block computes: a box of powers of two, of as many images as make 128.
    ///
    /// @param tiles boxes that cover the result
    private record Box(int logWidth, int logHeight, int across, int down, long tiles) {
        private static Box of(Part p, int logWidth, int logHeight) {
            int across = Math.ceilDiv(p.width, 1 << logWidth);
            int down = Math.ceilDiv(p.height, 1 << logHeight);
            return new Box(logWidth, logHeight, across, down, (long) across * down * Math.ceilDiv(p.images, Ring.ROWS >> logWidth + logHeight));
        }

        /// The one of which the fewest cover a part; of equals the squarest, since the fewest pixels are under its taps.
        private static Box fewest(Part p) {
            Box best = of(p, LOG_PIXELS, 0);
            for (int w = 0; w <= LOG_PIXELS; w++) {
                for (int h = 0; h <= LOG_PIXELS - w; h++) {
                    Box b = of(p, w, h);
                    best = b.tiles < best.tiles || b.tiles == best.tiles && b.edges() < best.edges() ? b : best;
                }
            }
            return best;
        }

        private int width() {
            return 1 << logWidth;
        }

        private int height() {
            return 1 << logHeight;
        }

        private int edges() {
            return width() + height();
        }

        private int images() {
            return Ring.ROWS >> logWidth + logHeight;
        }
    }

    /// What one launch computes: every `step`-th row and column of a result, from `row` and `column` on, whose pixels all meet the same taps.
    ///
    /// @param height rows that it computes, likewise the width
    /// @param top where its first row meets the first tap, likewise the left
    /// @param direction from one tap to the next
    /// @param tapsDown rows of taps that it meets
    /// @param tap the first of them, as a place in the weight
    private record Part(int images, int height, int width, int step, int row, int column, int top, int left, int direction, int tapsDown, int tapsAcross, int tap) {

        private static Part forward(ConvSpec s, Tensor y) {
            return new Part(y.dim(0), y.dim(1), y.dim(2), 1, 0, 0, -s.padTop(), -s.padLeft(), 1, s.kernelHeight(), s.kernelWidth(), 0);
        }

        /// Of an input gradient.
        private static Part backward(ConvSpec s, Tensor dx, int row, int column) {
            int step = s.stride();
            int tapRow = (row + s.padTop()) % step;
            int tapColumn = (column + s.padLeft()) % step;
            return new Part(dx.dim(0), Math.ceilDiv(dx.dim(1) - row, step), Math.ceilDiv(dx.dim(2) - column, step), step, row, column, (row + s.padTop()) / step, (column + s.padLeft()) / step, -1,
                    Math.ceilDiv(s.kernelHeight() - tapRow, step), Math.ceilDiv(s.kernelWidth() - tapColumn, step), tapRow * s.kernelWidth() + tapColumn);
        }
    }

    /// Whether there is a kernel: for operands as products take them and a stride of 1 or 2, in input gradients no longer than the kernel, so that every pixel meets
    /// a tap.
    ///
    /// @param forward whether a convolution is asked for, not its input gradient
    /// @param pixels x, or dy
    static boolean takes(DType type, ConvSpec spec, boolean forward, Tensor pixels, Tensor w) {
        return HopperProducts.takes(type, pixels, w) && spec.stride() <= (forward ? MOST_STRIDE : Math.min(MOST_STRIDE, Math.min(spec.kernelHeight(), spec.kernelWidth())));
    }

    /// What {@link #takes} says can be taken.
    ///
    /// @param finish into y [B,Ho,Wo,O], or dx [B,H,W,I]
    void launch(DType type, ConvSpec spec, boolean forward, Tensor pixels, Tensor w, TensorCores.Finish finish) {
        Tensor y = finish.y();
        if (spec.equals(ConvSpec.square(1, 1, 0))) {
            products.launch(type, MatrixKernels.rows(pixels), false, w.reshape(w.dim(0), w.dim(3)), forward, finish, Math.toIntExact(y.shape().rows()), y.dim(3), pixels.dim(3), 1);
        } else if (forward) {
            launch(type, spec, Part.forward(spec, y), pixels, w, finish);
        } else {
            for (int row = 0; row < Math.min(spec.stride(), y.dim(1)); row++) {
                for (int column = 0; column < Math.min(spec.stride(), y.dim(2)); column++) {
                    launch(type, spec, Part.backward(spec, y, row, column), pixels, w, finish);
                }
            }
        }
    }

    private void launch(DType type, ConvSpec spec, Part p, Tensor pixels, Tensor w, TensorCores.Finish finish) {
        Tensor y = finish.y();
        int m = Math.toIntExact(y.shape().rows());
        int n = y.dim(3);
        int channels = pixels.dim(3);
        boolean forward = p.direction > 0;
        int stride = forward ? spec.stride() : 1;
        Box box = Box.fewest(p);
        Ring ring = Ring.fastest(box.tiles, n, 1, cores.multiprocessors());
        int taps = p.tapsDown * p.tapsAcross;
        // Sums of several parts are added for the whole result at once.
        int splits = p.step > 1 ? 1 : ring.splits(cores, box.tiles, n, (long) m * n, (long) taps * Math.ceilDiv(channels, Ring.STAGE_K), 1);
        cores.arguments().tensorMap(driver.encode(pixels(type, pixels, box, stride))).tensorMap(driver.encode(weight(type, w, forward ? ring.columns() : Ring.STAGE_K)))
                .i64s(cores.struct(finish))
                .i32s(p.images, y.dim(1), y.dim(2), p.step, p.row, p.column, box.across, box.down, box.logWidth, box.logHeight, stride, p.top, p.left, p.direction, taps, p.tapsAcross, p.tap,
                        p.step * spec.kernelWidth(), channels, n, splits);
        String module = "convolution_sm90_" + TensorCores.name(type);
        cores.launch(module, module + "_" + (forward ? "fwd" : "bwd_input") + "_" + ring.suffix(), ring.grid(box.tiles, n, 1, splits), ring.sharedBytes(), finish, m, n, 1, splits);
    }

    /// Images in boxes of 64 channels of every `stride`-th pixel.
    private static TensorMap pixels(DType type, Tensor t, Box box, int stride) {
        long pixel = t.dim(3) * (long) type.bytes();
        long row = pixel * t.dim(2);
        return new TensorMap(type, address(t), new long[] {t.dim(3), t.dim(2), t.dim(1), t.dim(0)}, new long[] {pixel, row, row * t.dim(1)},
                new int[] {Ring.STAGE_K, box.width(), box.height(), box.images()}, new int[] {1, stride, stride, 1}, TensorMap.Swizzle.BYTES_128);
    }

    /// A weight [O,Kh,Kw,I] in boxes of 64 of I under one tap, for `rows` of O.
    private static TensorMap weight(DType type, Tensor w, int rows) {
        long tap = w.dim(3) * (long) type.bytes();
        int taps = w.dim(1) * w.dim(2);
        return new TensorMap(type, address(w), new long[] {w.dim(3), taps, w.dim(0)}, new long[] {tap, tap * taps}, new int[] {Ring.PIECE, 1, rows}, TensorMap.Swizzle.BYTES_128);
    }
}
