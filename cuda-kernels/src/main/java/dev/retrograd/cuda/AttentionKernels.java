package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.sameType;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.Contest.Candidate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/// Launches `attention.cu` (float32), `attention_48.cu` … `attention_160.cu` and `attention_512.cu` (16 bits): what
/// {@link dev.retrograd.core.AttentionKernels} asks for, for heads of up to 512 channels.
///
/// In 16 bits a head is padded to one of a few widths in shared memory; those of a multiple of 8 channels are read 16 bytes at a time.
final class AttentionKernels {
    private static final int WARPS = 4;
    private static final int LANES = 32;
    /// Channels per lane that float32 kernels are compiled for.
    private static final int[] WIDTHS_PER_LANE = {2, 5, 16};
    private static final int VECTOR_BYTES = 16;

    private final Launcher launcher;
    private final Optional<HopperAttention> hopper;
    private final Optional<Contest> contest;

    /// @param hopper what does it where it can
    /// @param contest says whether that or the kernels for every device do; empty where the former does all that it can
    AttentionKernels(Launcher launcher, Optional<HopperAttention> hopper, Optional<Contest> contest) {
        this.launcher = launcher;
        this.hopper = hopper;
        this.contest = contest;
    }

    /// Kernels on tensor cores for heads of up to so many channels: rows of a block as the sources have them.
    ///
    /// @param together whether dk and dv come of one launch
    enum Wide {
        UP_TO_48(48, 128, 64, true), UP_TO_64(64, 128, 64, true), UP_TO_80(80, 64, 64, true), UP_TO_160(160, 64, 32, true), UP_TO_512(512, 32, 32, false);

        /// Two tiles of 32 rows, 520 channels and 2 bytes, and two times the four parts of 32 × 32 scores.
        private static final int TILES_BYTES = 2 * 32 * 520 * 2;
        private static final int PARTS_BYTES = 4 * 32 * 32 * 4;

        final int channels;
        final int forwardRows;
        final int backwardRows;
        final boolean together;

        Wide(int channels, int forwardRows, int backwardRows, boolean together) {
            this.channels = channels;
            this.forwardRows = forwardRows;
            this.backwardRows = backwardRows;
            this.together = together;
        }

        static Wide of(int d) {
            for (Wide w : values()) {
                if (d <= w.channels) {
                    return w;
                }
            }
            throw tooWide(d);
        }

        String kernel(String name, DType type) {
            return "attention_" + name + "_" + channels + "_" + suffix(type);
        }

        int forwardThreads() {
            return this == UP_TO_512 ? 8 * LANES : 4 * LANES;
        }

        int backwardThreads() {
            return this == UP_TO_512 ? 8 * LANES : backwardRows / 16 * LANES;
        }

        /// Dynamic shared memory.
        int sharedBytes(int products) {
            return this == UP_TO_512 ? TILES_BYTES + products * PARTS_BYTES : 0;
        }
    }

    /// @param lengths address of each image's number of keys, or 0
    private record Heads(AttentionSpec spec, long lengths) {
    }

    /// All that the time of attention depends on, where there are kernels for compute capability 9.0.
    private record AttentionShape(boolean forward, DType type, int images, int rows, int keys, int heads, int width, boolean causal) {
        @Override public String toString() {
            return "attention " + (forward ? "forward " : "backward ") + type + " " + images + "x" + rows + "x" + heads + "x" + width + " to " + keys + " keys" + (causal ? " causal" : "");
        }
    }

    /// Has attention, or its gradients, done by kernels for compute capability 9.0, by those for every device, or by the faster ones.
    ///
    /// @param fits whether there are such kernels for it
    /// @param results what they write
    private void oneOf(boolean fits, boolean forward, AttentionSpec spec, Tensor q, Tensor k, List<Tensor> results, Runnable everywhere, Consumer<HopperAttention> onWarpgroups) {
        if (!fits) {
            everywhere.run();
            return;
        }
        List<Candidate> candidates = new ArrayList<>(List.of(new Candidate("ptx", everywhere)));
        hopper.ifPresent(h -> candidates.add(new Candidate("hopper", () -> onWarpgroups.accept(h))));
        if (contest.isPresent()) {
            AttentionShape shape = new AttentionShape(forward, q.dtype(), q.dim(0), q.dim(1), k.dim(1), spec.heads(), q.dim(2) / spec.heads(), spec.causal());
            contest.get().run(new Contest.Work(shape, results, false, Optional.of(q.dtype())), candidates);
        } else {
            candidates.getLast().work().run();
        }
    }

    private static ShapeException tooWide(int d) {
        return new ShapeException("attention: a head must have at most 512 channels, got " + d);
    }

    /// @param lengths address of each image's number of keys, or 0
    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, long lengths, Tensor y, Tensor logSumExp) {
        Heads heads = new Heads(spec, lengths);
        DType type = require("attention", spec, q, k, logSumExp, v, y);
        boolean fits = lengths == 0 && HopperAttention.takes(spec, q, k, v, y);
        oneOf(fits, true, spec, q, k, List.of(y, logSumExp), () -> everywhere(heads, type, q, k, v, y, logSumExp), h -> h.attention(spec, q, k, v, y, logSumExp));
    }

    private void everywhere(Heads heads, DType type, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        AttentionSpec spec = heads.spec();
        operands(q, k, v, y, logSumExp);
        if (type == DType.F32) {
            perWarp("attention_fwd_" + perLane(q, spec) + "_f32", heads, q, k, q.dim(1), true);
        } else {
            Wide w = Wide.of(q.dim(2) / spec.heads());
            heads(heads, q, k, vectors(spec, q, k, v, y)).f32((float) spec.scale());
            perTile(w, w.kernel("fwd", type), grid(spec, q, q.dim(1), w.forwardRows, w.forwardThreads()), w.sharedBytes(1));
        }
    }

    void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, long lengths, Tensor y, Tensor logSumExp, Tensor dy, Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        Heads heads = new Heads(spec, lengths);
        DType type = require("attentionBackward", spec, q, k, logSumExp, v, y, dy, dq, dk, dv);
        require("attentionBackward", spec, q, k, delta);
        operands(y, dy, delta);
        perWarp("attention_delta_" + suffix(type), heads, q, k, q.dim(1), false);
        boolean fits = lengths == 0 && HopperAttention.takesBackward(spec, q, k, v, dy, dq, dk, dv);
        oneOf(fits, false, spec, q, k, List.of(dq, dk, dv), () -> backwardEverywhere(heads, type, q, k, v, logSumExp, delta, dy, dq, dk, dv),
                h -> h.backward(spec, q, k, v, logSumExp, delta, dy, dq, dk, dv));
    }

    private void backwardEverywhere(Heads heads, DType type, Tensor q, Tensor k, Tensor v, Tensor logSumExp, Tensor delta, Tensor dy, Tensor dq, Tensor dk, Tensor dv) {
        AttentionSpec spec = heads.spec();
        if (type == DType.F32) {
            int width = perLane(q, spec);
            operands(q, k, v, logSumExp, delta, dy, dq);
            perWarp("attention_bwd_q_" + width + "_f32", heads, q, k, q.dim(1), true);
            operands(q, k, v, logSumExp, delta, dy, dk, dv);
            perWarp("attention_bwd_kv_" + width + "_f32", heads, q, k, k.dim(1), true);
            return;
        }
        Wide w = Wide.of(q.dim(2) / spec.heads());
        boolean vectors = vectors(spec, q, k, v, dy, dq, dk, dv);
        backward(w, "bwd_q", heads, vectors, 2, q.dim(1), q, k, v, logSumExp, delta, dy, dq);
        if (w.together) {
            backward(w, "bwd_kv", heads, vectors, 2, k.dim(1), q, k, v, logSumExp, delta, dy, dk, dv);
        } else {
            backward(w, "bwd_k", heads, vectors, 2, k.dim(1), q, k, v, logSumExp, delta, dy, dk);
            backward(w, "bwd_v", heads, vectors, 1, k.dim(1), q, k, v, logSumExp, delta, dy, dv);
        }
    }

    private void backward(Wide w, String name, Heads h, boolean vectors, int products, int rows, Tensor... tensors) {
        operands(tensors);
        Tensor q = tensors[0];
        heads(h, q, tensors[1], vectors).f32((float) h.spec().scale());
        perTile(w, w.kernel(name, q.dtype()), grid(h.spec(), q, rows, w.backwardRows, w.backwardThreads()), w.sharedBytes(products));
    }

    private void operands(Tensor... tensors) {
        LaunchArguments arguments = launcher.arguments();
        for (Tensor t : tensors) {
            arguments.i64(address(t));
        }
    }

    /// The struct that all kernels take.
    private LaunchArguments heads(Heads h, Tensor q, Tensor k, boolean vectors) {
        return launcher.added().i64s(q.dim(1), k.dim(1), h.spec().heads(), q.dim(2) / h.spec().heads(), h.spec().causal() ? 1 : 0, vectors ? 1 : 0, h.lengths());
    }

    /// Whether every row of a head begins at 16 bytes and is a multiple of them.
    private static boolean vectors(AttentionSpec spec, Tensor... tensors) {
        boolean fits = tensors[0].dim(2) / spec.heads() * tensors[0].dtype().bytes() % VECTOR_BYTES == 0;
        for (Tensor t : tensors) {
            fits &= address(t) % VECTOR_BYTES == 0;
        }
        return fits;
    }

    private static LaunchGrid grid(AttentionSpec spec, Tensor q, int rows, int rowsOfBlock, int threads) {
        return LaunchGrid.of(Math.max(1, Math.ceilDiv(rows, rowsOfBlock)), spec.heads(), Math.max(1, q.dim(0)), threads);
    }

    private void perTile(Wide w, String kernel, LaunchGrid grid, int sharedBytes) {
        launcher.launch("attention_" + w.channels, kernel, grid, sharedBytes);
    }

    /// Adds what float32 kernels take last, and launches a warp for each row of the result.
    private void perWarp(String kernel, Heads h, Tensor q, Tensor k, int rows, boolean scaled) {
        LaunchArguments arguments = heads(h, q, k, false);
        if (scaled) {
            arguments.f32((float) h.spec().scale());
        }
        launcher.launch("attention", kernel, grid(h.spec(), q, rows, WARPS, WARPS * LANES), 0);
    }

    /// The narrowest float32 kernel for this head.
    private static int perLane(Tensor q, AttentionSpec spec) {
        int d = q.dim(2) / spec.heads();
        for (int width : WIDTHS_PER_LANE) {
            if (d <= width * LANES) {
                return width;
            }
        }
        throw tooWide(d);
    }

    /// The address of each image's number of keys.
    static long lengths(String kernel, Tensor lengths, Tensor k) {
        sameType(kernel, new DType[] {DType.I32}, lengths);
        if (lengths.elements() != k.dim(0)) {
            throw new ShapeException(kernel + ": a number of keys for each image of " + k + " is required, got " + lengths);
        }
        return address(lengths);
    }

    /// @return the type of all tensors but the statistic
    private static DType require(String kernel, AttentionSpec spec, Tensor q, Tensor k, Tensor statistic, Tensor... more) {
        DType type = sameType(kernel, Launcher.ACTIVATIONS, q, k);
        sameType(kernel, new DType[] {DType.F32}, statistic);
        for (Tensor t : more) {
            sameType(kernel, new DType[] {type}, t);
        }
        boolean fits = q.shape().rank() == 3 && k.shape().rank() == 3 && q.dim(0) == k.dim(0) && q.dim(2) == k.dim(2) && q.dim(2) % spec.heads() == 0
                && q.elements() > 0 && k.dim(1) > 0 && statistic.elements() == (long) q.dim(0) * spec.heads() * q.dim(1);
        if (!fits) {
            throw new ShapeException(kernel + ": " + spec + " takes q [B,N,C], k [B,M,C] and statistics [B,heads,N], none of them empty, got " + q + ", " + k + ", " + statistic);
        }
        return type;
    }
}
