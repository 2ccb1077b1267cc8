package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;

/// Launches `attention_sm90_*.cu`: attention on the warpgroups of compute capability 9.0, whose operands bulk copies bring.
final class HopperAttention {
    private static final int ALIGNMENT = 16;
    private static final int GROUP_ROWS = 64;
    private static final int GROUPS = 2;
    private static final int KEYS = 128;
    /// Rows of the other side that a block of the backward pass has at once.
    private static final int TILE = 64;
    private static final int THREADS = 384;
    /// Channels, of 128 bytes, that a box has at most.
    private static final int PIECE = 64;
    private static final int FILLER = 1024;

    private final Launcher launcher;
    private final CudaDriver driver;

    /// Kernels for heads of up to so many channels, and the tiles that their ring in shared memory holds, of keys or of values, in the backward pass of both operands
    /// of the other side. Of the widest heads the backward pass has too many sums for a warpgroup's registers.
    enum Width {
        UP_TO_48(48, 6), UP_TO_64(64, 6), UP_TO_80(80, 4), UP_TO_160(160, 3);

        final int channels;
        private final int stages;

        Width(int channels, int stages) {
            this.channels = channels;
            this.stages = stages;
        }

        /// The narrowest for a head that {@link #takes} says can be taken.
        static Width of(int d) {
            for (Width w : values()) {
                if (d <= w.channels) {
                    return w;
                }
            }
            throw new AssertionError(d);
        }

        /// Dynamic shared memory of the forward pass: queries and the ring, in pieces of 64 channels.
        int sharedBytes() {
            return bytes(GROUPS * GROUP_ROWS + stages * KEYS);
        }

        /// Of the backward pass: both operands of the rows, and the ring.
        int backwardSharedBytes() {
            return bytes(2 * (GROUPS * GROUP_ROWS + stages * TILE));
        }

        private int bytes(int rows) {
            return rows * Math.ceilDiv(channels, PIECE) * PIECE * DType.BF16.bytes() + FILLER;
        }
    }

    HopperAttention(Launcher launcher, CudaDriver driver) {
        this.launcher = launcher;
        this.driver = driver;
    }

    /// Whether there is a kernel for these operands: of 16 bits, where bulk copies can read a head's rows, and with a scale that leaves the largest score the
    /// largest. Without padding: a bulk copy cannot leave out the keys that an image does not have.
    static boolean takes(AttentionSpec spec, Tensor... tensors) {
        int d = tensors[0].dim(2) / spec.heads();
        boolean reads = tensors[0].dtype() != DType.F32 && d * tensors[0].dtype().bytes() % ALIGNMENT == 0 && d <= Width.UP_TO_160.channels && spec.scale() > 0;
        for (Tensor t : tensors) {
            reads &= address(t) % ALIGNMENT == 0;
        }
        return reads;
    }

    /// Whether there is a kernel for the gradients, too: {@link #takes}, and heads of up to 80 channels.
    static boolean takesBackward(AttentionSpec spec, Tensor... tensors) {
        return takes(spec, tensors) && tensors[0].dim(2) / spec.heads() <= Width.UP_TO_80.channels;
    }

    /// Attention to operands that {@link #takes} says can be taken: of one type, as {@link AttentionKernels} requires them.
    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        Width w = Width.of(q.dim(2) / spec.heads());
        launcher.arguments();
        boxes(spec, GROUP_ROWS, q);
        boxes(spec, KEYS, k, v);
        launch("fwd", spec, w, w.sharedBytes(), q, k, q.dim(1), y, logSumExp);
    }

    /// The gradients of operands that {@link #takesBackward} says can be taken, by delta, the rows' sums of dy·y.
    void backward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor logSumExp, Tensor delta, Tensor dy, Tensor dq, Tensor dk, Tensor dv) {
        Width w = Width.of(q.dim(2) / spec.heads());
        launcher.arguments();
        boxes(spec, TILE, q, dy, k, v);
        launch("bwd_q", spec, w, w.backwardSharedBytes(), q, k, q.dim(1), logSumExp, delta, dq);
        launcher.arguments();
        boxes(spec, TILE, k, v, q, dy);
        launch("bwd_kv", spec, w, w.backwardSharedBytes(), q, k, k.dim(1), logSumExp, delta, dk, dv);
    }

    private void boxes(AttentionSpec spec, int rows, Tensor... tensors) {
        for (Tensor t : tensors) {
            launcher.added().tensorMap(driver.encode(map(spec, t, rows)));
        }
    }

    /// Adds what all kernels take after their tensor maps, and launches a block for every 128 rows of a head's result.
    private void launch(String name, AttentionSpec spec, Width w, int sharedBytes, Tensor q, Tensor k, int rows, Tensor... tensors) {
        for (Tensor t : tensors) {
            launcher.added().i64(address(t));
        }
        launcher.added().i64s(q.dim(1), k.dim(1), spec.heads(), q.dim(2) / spec.heads(), spec.causal() ? 1 : 0, 1, 0).f32((float) spec.scale());
        String type = suffix(q.dtype());
        launcher.launch("attention_sm90_" + type, "attention_sm90_" + name + "_" + w.channels + "_" + type,
                LaunchGrid.of(Math.ceilDiv(rows, GROUPS * GROUP_ROWS), spec.heads(), q.dim(0), THREADS), sharedBytes);
    }

    /// `[B,N,heads · d]` as channels, heads, rows, images, in boxes of so many rows of 64 channels of a head: zeros beyond the head's channels and the last row.
    private static TensorMap map(AttentionSpec spec, Tensor t, int rows) {
        int d = t.dim(2) / spec.heads();
        long line = t.dim(2) * (long) t.dtype().bytes();
        return new TensorMap(t.dtype(), address(t), new long[] {d, spec.heads(), t.dim(1), t.dim(0)}, new long[] {(long) d * t.dtype().bytes(), line, line * t.dim(1)},
                new int[] {PIECE, 1, rows, 1}, TensorMap.Swizzle.BYTES_128);
    }
}
