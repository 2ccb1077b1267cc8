package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;

/// Launches `attention_sm90_*.cu`: attention's forward pass on the warpgroups of compute capability 9.0, whose operands bulk copies bring.
final class HopperAttention {
    private static final int ALIGNMENT = 16;
    private static final int GROUP_ROWS = 64;
    private static final int GROUPS = 2;
    private static final int KEYS = 128;
    private static final int THREADS = 384;
    /// Channels, of 128 bytes, that a box has at most.
    private static final int PIECE = 64;
    private static final int FILLER = 1024;

    private final Launcher launcher;
    private final CudaDriver driver;

    /// Kernels for heads of up to so many channels, and the tiles of keys or values that their ring in shared memory holds.
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

        /// Dynamic shared memory: queries and the ring, in pieces of 64 channels.
        int sharedBytes() {
            return (GROUPS * GROUP_ROWS + stages * KEYS) * Math.ceilDiv(channels, PIECE) * PIECE * DType.BF16.bytes() + FILLER;
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

    /// Attention to operands that {@link #takes} says can be taken: of one type, as {@link AttentionKernels} requires them.
    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        int d = q.dim(2) / spec.heads();
        Width w = Width.of(d);
        launcher.arguments().tensorMap(driver.encode(map(spec, q, GROUP_ROWS))).tensorMap(driver.encode(map(spec, k, KEYS))).tensorMap(driver.encode(map(spec, v, KEYS)))
                .i64(address(y)).i64(address(logSumExp)).i64s(q.dim(1), k.dim(1), spec.heads(), d, spec.causal() ? 1 : 0, 1, 0).f32((float) spec.scale());
        String module = "attention_sm90_" + suffix(q.dtype());
        launcher.launch(module, "attention_sm90_fwd_" + w.channels + "_" + suffix(q.dtype()),
                LaunchGrid.of(Math.ceilDiv(q.dim(1), GROUPS * GROUP_ROWS), spec.heads(), q.dim(0), THREADS), w.sharedBytes());
    }

    /// `[B,N,heads · d]` as channels, heads, rows, images, in boxes of so many rows of 64 channels of a head: zeros beyond the head's channels and the last row.
    private static TensorMap map(AttentionSpec spec, Tensor t, int rows) {
        int d = t.dim(2) / spec.heads();
        long line = t.dim(2) * (long) t.dtype().bytes();
        return new TensorMap(t.dtype(), address(t), new long[] {d, spec.heads(), t.dim(1), t.dim(0)}, new long[] {(long) d * t.dtype().bytes(), line, line * t.dim(1)},
                new int[] {PIECE, 1, rows, 1}, TensorMap.Swizzle.BYTES_128);
    }
}
