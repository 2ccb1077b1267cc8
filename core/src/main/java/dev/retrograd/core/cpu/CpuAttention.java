package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionScratch.BLOCK_ROWS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.ROWS;
import static dev.retrograd.core.cpu.AttentionTile.multiply;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Attention block by block: a task owns a block of queries (for dk and dv: of keys) of one head and walks all keys (queries) in order, so
/// bits do not depend on the number of threads. Backward forms the scores twice, once per pass, rather than share sums between tasks.
///
/// Sources: arXiv 2205.14135 (online softmax, recomputation), arXiv 2307.08691 (backward).
final class CpuAttention {
    /// Multiplications below which handing tasks out costs more than it gains.
    private static final long SMALL = 1 << 17;
    /// Tasks worth having: several times the threads of usual machines, and a constant.
    private static final int TASKS = 16;
    private static final int FEWEST_COLUMNS = 64;

    private final Workers workers;
    /// Of every thread, by head width: a model has few.
    private final List<Map<Integer, AttentionScratch>> scratch;

    CpuAttention(Workers workers) {
        this.workers = workers;
        scratch = Stream.generate(() -> (Map<Integer, AttentionScratch>) new ConcurrentHashMap<Integer, AttentionScratch>())
                .limit(workers.threads()).toList();
    }

    /// Bytes of packing buffers of all threads.
    long workspaceBytes() {
        return scratch.stream().flatMap(widths -> widths.values().stream()).mapToLong(s -> s.bytes).sum();
    }

    /// A block of columns of one head: what a task works on.
    private interface Body {
        void run(AttentionScratch s, int image, int head, int from, int count);
    }

    /// Sizes, and where a head's rows begin.
    ///
    /// @param keys that there is room for
    /// @param lengths how many of them each image has
    private record Heads(int images, int heads, int width, int queries, int keys, int[] lengths, float scale, boolean causal) {
        static Heads of(AttentionSpec spec, Tensor q, Tensor k, int... lengths) {
            return new Heads(q.dim(0), spec.heads(), q.dim(2) / spec.heads(), q.dim(1), k.dim(1), lengths, (float) spec.scale(), spec.causal());
        }

        int keys(int image) {
            return lengths.length == 0 ? keys : Math.min(keys, lengths[image]);
        }

        long rowBytes() {
            return 4L * heads * width;
        }

        long query(long tensor, int image, int head, int row) {
            return tensor + ((long) image * queries + row) * rowBytes() + 4L * head * width;
        }

        long key(long tensor, int image, int head, int row) {
            return tensor + ((long) image * keys + row) * rowBytes() + 4L * head * width;
        }

        /// In a `[B,heads,N]` tensor.
        long statistic(long tensor, int image, int head, int row) {
            return tensor + (((long) image * heads + head) * queries + row) * 4;
        }
    }

    private void forEachBlock(Heads h, int columns, Body body) {
        int block = AttentionScratch.columns(h.width);
        while (block > FEWEST_COLUMNS && (long) h.images * h.heads * Math.ceilDiv(columns, block) < TASKS) {
            block = block / 2 / COLUMNS * COLUMNS;
        }
        int size = block;
        int blocks = Math.ceilDiv(columns, size);
        int tasks = h.images * h.heads * blocks;
        long work = (long) h.images * h.heads * h.queries * h.keys * h.width;
        int perRun = work < SMALL ? tasks : 1;
        workers.run(Math.ceilDiv(tasks, perRun), (worker, run) -> {
            AttentionScratch s = scratch.get(worker).computeIfAbsent(h.width, AttentionScratch::new);
            for (int task = run * perRun; task < Math.min(tasks, (run + 1) * perRun); task++) {
                int from = task % blocks * size;
                body.run(s, task / blocks / h.heads, task / blocks % h.heads, from, Math.min(size, columns - from));
            }
        });
    }

    private static long address(Tensor t) {
        return CpuMemory.data(t).address();
    }

    /// @param lengths how many keys each image has; none for all
    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, int... lengths) {
        Heads h = Heads.of(spec, q, k, lengths);
        long qs = address(q);
        long ks = address(k);
        long vs = address(v);
        long ys = address(y);
        long sums = address(logSumExp);
        forEachBlock(h, h.queries, (s, image, head, from, count) -> {
            AttentionTile.packRight(h.query(qs, image, head, from), h.rowBytes(), count, h.width, h.scale, s.panel, s.right);
            int tiles = Math.ceilDiv(count, COLUMNS);
            Arrays.fill(s.statistics, Float.NEGATIVE_INFINITY);
            Arrays.fill(s.otherStatistics, 0);
            Arrays.fill(s.result, 0, s.result(tiles), 0);
            int keys = h.keys(image);
            int end = h.causal ? Math.min(keys, from + count) : keys;
            for (int key = 0; key < end; key += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, keys - key);
                AttentionTile.packRows(h.key(ks, image, head, key), h.rowBytes(), rows, h.width, s.first);
                AttentionTile.packColumns(h.key(vs, image, head, key), h.rowBytes(), rows, h.width, s.second);
                int firstTile = h.causal ? Math.max(0, key - from) / COLUMNS : 0;
                for (int tile = firstTile; tile < tiles; tile++) {
                    forwardTile(s, tile, rows, h.causal, key, from + tile * COLUMNS);
                }
            }
            for (int tile = 0; tile < tiles; tile++) {
                AttentionSoftmax.finish(s.statistics, s.otherStatistics, tile * COLUMNS, s.factors);
                int columns = Math.min(COLUMNS, count - tile * COLUMNS);
                long to = h.query(ys, image, head, from + tile * COLUMNS);
                AttentionTile.unpack(s.result, s.result(tile), s.factors, columns, h.width, s.panel, to, h.rowBytes());
            }
            MemorySegment.copy(s.statistics, 0, ALL, JAVA_FLOAT, h.statistic(sums, image, head, from), count);
        });
    }

    private static void forwardTile(AttentionScratch s, int tile, int rows, boolean causal, int key, int query) {
        scores(s.first, rows, s.width, s.right(tile), s.scores);
        if (causal && key + rows - 1 > query) {
            AttentionSoftmax.maskRowsAfterColumns(s.scores, rows, key, query);
        }
        AttentionSoftmax.update(s.scores, rows, s.statistics, s.otherStatistics, tile * COLUMNS, s.factors, s.weights);
        for (int d = 0; d < s.paddedWidth; d += ROWS) {
            multiply(rows, s.second, d * rows, s.weights, s.tile, 0);
            AttentionTile.fold(s.tile, s.factors, s.result, s.result(tile) + d * COLUMNS);
        }
    }

    /// `scores = left·right` over the head width, for all rows of a block.
    private static void scores(float[] panels, int rows, int width, long right, float[] scores) {
        for (int r = 0; r < rows; r += ROWS) {
            multiply(width, panels, r * width, right, scores, r * COLUMNS);
        }
    }

    /// `result += leftᵀ·weights` over the rows of a block, for the whole head width.
    private static void accumulate(AttentionScratch s, float[] panels, int rows, long weights, float[] result, int at) {
        for (int d = 0; d < s.paddedWidth; d += ROWS) {
            multiply(rows, panels, d * rows, weights, s.tile, 0);
            AttentionTile.fold(s.tile, result, at + d * COLUMNS);
        }
    }

    void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv, int... lengths) {
        Heads h = Heads.of(spec, q, k, lengths);
        sumsOfRows(h, y, dy, delta);
        queryGradient(h, address(q), address(k), address(v), address(logSumExp), address(dy), address(delta), address(dq));
        keyGradients(h, address(q), address(k), address(v), address(logSumExp), address(dy), address(delta), address(dk), address(dv));
    }

    /// `delta = Σ dy·y` over each head's channels.
    private void sumsOfRows(Heads h, Tensor y, Tensor dy, Tensor delta) {
        long ys = address(y);
        long dys = address(dy);
        long deltas = address(delta);
        RowChunks.ofImages(y).forEach(workers, (image, _, from, to) -> {
            for (int row = (int) from; row < to; row++) {
                for (int head = 0; head < h.heads; head++) {
                    float sum = dot(h.query(ys, image, head, row), h.query(dys, image, head, row), h.width);
                    ALL.set(JAVA_FLOAT_UNALIGNED, h.statistic(deltas, image, head, row), sum);
                }
            }
        });
    }

    private static float dot(long a, long b, int count) {
        FloatVector sum = FloatVector.zero(FLOATS);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            sum = FloatVector.fromMemorySegment(FLOATS, ALL, a + i * 4L, LE).fma(FloatVector.fromMemorySegment(FLOATS, ALL, b + i * 4L, LE), sum);
        }
        if (i < count) {
            VectorMask<Float> tail = VectorMath.firstLanes(count - i);
            sum = FloatVector.fromMemorySegment(FLOATS, ALL, a + i * 4L, LE, tail)
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, b + i * 4L, LE, tail), sum);
        }
        return VectorMath.sum(sum);
    }

    /// `dq = scale·dS·k`; columns are queries.
    private void queryGradient(Heads h, long q, long k, long v, long logSumExp, long dy, long delta, long dq) {
        forEachBlock(h, h.queries, (s, image, head, from, count) -> {
            AttentionTile.packRight(h.query(q, image, head, from), h.rowBytes(), count, h.width, h.scale, s.panel, s.right);
            AttentionTile.packRight(h.query(dy, image, head, from), h.rowBytes(), count, h.width, 1, s.panel, s.otherRight);
            int tiles = Math.ceilDiv(count, COLUMNS);
            Arrays.fill(s.result, 0, s.result(tiles), 0);
            Native.copy(h.statistic(logSumExp, image, head, from), s.statistics, 0, count);
            Native.copy(h.statistic(delta, image, head, from), s.otherStatistics, 0, count);
            int keys = h.keys(image);
            int end = h.causal ? Math.min(keys, from + count) : keys;
            for (int key = 0; key < end; key += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, keys - key);
                AttentionTile.packRows(h.key(k, image, head, key), h.rowBytes(), rows, h.width, s.first);
                AttentionTile.packRows(h.key(v, image, head, key), h.rowBytes(), rows, h.width, s.second);
                AttentionTile.packColumns(h.key(k, image, head, key), h.rowBytes(), rows, h.width, s.third);
                int firstTile = h.causal ? Math.max(0, key - from) / COLUMNS : 0;
                for (int tile = firstTile; tile < tiles; tile++) {
                    queryGradientTile(s, tile, rows, h.causal, key, from + tile * COLUMNS);
                }
            }
            unpack(s, s.result, count, h.scale, h.query(dq, image, head, from), h.rowBytes());
        });
    }

    private static void queryGradientTile(AttentionScratch s, int tile, int rows, boolean causal, int key, int query) {
        scores(s.first, rows, s.width, s.right(tile), s.scores);
        scores(s.second, rows, s.width, s.otherRight(tile), s.otherScores);
        if (causal && key + rows - 1 > query) {
            AttentionSoftmax.maskRowsAfterColumns(s.scores, rows, key, query);
        }
        AttentionSoftmax.differentiate(s.scores, s.otherScores, rows, s.statistics, s.otherStatistics, tile * COLUMNS, s.weights);
        accumulate(s, s.third, rows, s.weights, s.result, s.result(tile));
    }

    /// `dv = Pᵀ·dy` and `dk = scale·dSᵀ·q`; columns are keys.
    private void keyGradients(Heads h, long q, long k, long v, long logSumExp, long dy, long delta, long dk, long dv) {
        forEachBlock(h, h.keys, (s, image, head, from, all) -> {
            int count = Math.clamp(h.keys(image) - from, 0, all);
            for (int key = from + count; key < from + all; key++) {
                ALL.asSlice(h.key(dk, image, head, key), 4L * h.width).fill((byte) 0);
                ALL.asSlice(h.key(dv, image, head, key), 4L * h.width).fill((byte) 0);
            }
            if (count == 0) {
                return;
            }
            AttentionTile.packRight(h.key(k, image, head, from), h.rowBytes(), count, h.width, h.scale, s.panel, s.right);
            AttentionTile.packRight(h.key(v, image, head, from), h.rowBytes(), count, h.width, 1, s.panel, s.otherRight);
            int tiles = Math.ceilDiv(count, COLUMNS);
            Arrays.fill(s.result, 0, s.result(tiles), 0);
            Arrays.fill(s.otherResult, 0, s.result(tiles), 0);
            int start = h.causal ? from / BLOCK_ROWS * BLOCK_ROWS : 0;
            for (int query = start; query < h.queries; query += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, h.queries - query);
                long qBlock = h.query(q, image, head, query);
                long dyBlock = h.query(dy, image, head, query);
                AttentionTile.packRows(qBlock, h.rowBytes(), rows, h.width, s.first);
                AttentionTile.packRows(dyBlock, h.rowBytes(), rows, h.width, s.second);
                AttentionTile.packColumns(dyBlock, h.rowBytes(), rows, h.width, s.third);
                AttentionTile.packColumns(qBlock, h.rowBytes(), rows, h.width, s.fourth);
                Native.copy(h.statistic(logSumExp, image, head, query), s.statistics, 0, rows);
                Native.copy(h.statistic(delta, image, head, query), s.otherStatistics, 0, rows);
                int lastTile = h.causal ? Math.min(tiles, Math.ceilDiv(query + rows - from, COLUMNS)) : tiles;
                for (int tile = 0; tile < lastTile; tile++) {
                    keyGradientsTile(s, tile, rows, h.causal, query, from + tile * COLUMNS);
                }
            }
            unpack(s, s.result, count, 1, h.key(dv, image, head, from), h.rowBytes());
            unpack(s, s.otherResult, count, h.scale, h.key(dk, image, head, from), h.rowBytes());
        });
    }

    private static void keyGradientsTile(AttentionScratch s, int tile, int rows, boolean causal, int query, int key) {
        scores(s.first, rows, s.width, s.right(tile), s.scores);
        scores(s.second, rows, s.width, s.otherRight(tile), s.otherScores);
        if (causal && key + COLUMNS - 1 > query) {
            AttentionSoftmax.maskColumnsAfterRows(s.scores, rows, query, key);
        }
        AttentionSoftmax.differentiateRows(s.scores, s.otherScores, rows, s.statistics, s.otherStatistics, s.weights, s.otherWeights);
        accumulate(s, s.third, rows, s.weights, s.result, s.result(tile));
        accumulate(s, s.fourth, rows, s.otherWeights, s.otherResult, s.result(tile));
    }

    /// Tiles of results, times a factor, to rows of a matrix.
    private static void unpack(AttentionScratch s, float[] result, int count, float factor, long matrix, long rowBytes) {
        Arrays.fill(s.factors, factor);
        for (int column = 0; column < count; column += COLUMNS) {
            AttentionTile.unpack(result, s.result(column / COLUMNS), s.factors, Math.min(COLUMNS, count - column), s.width, s.panel,
                    matrix + column * rowBytes, rowBytes);
        }
    }
}
