package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionScratch.BLOCK_ROWS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.AttentionTile.ROWS;
import static dev.retrograd.core.cpu.AttentionTile.multiplyAdd;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
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
    private record Heads(int images, int heads, int width, int queries, int keys, float scale, boolean causal) {
        static Heads of(AttentionSpec spec, Tensor q, Tensor k) {
            return new Heads(q.dim(0), spec.heads(), q.dim(2) / spec.heads(), q.dim(1), k.dim(1), (float) spec.scale(), spec.causal());
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

    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        Heads h = Heads.of(spec, q, k);
        long qs = address(q);
        long ks = address(k);
        long vs = address(v);
        long ys = address(y);
        long sums = address(logSumExp);
        forEachBlock(h, h.queries, (s, image, head, from, count) -> {
            AttentionTile.packRight(h.query(qs, image, head, from), h.rowBytes(), count, h.width, h.scale, s.panel, s.right);
            int tiles = Math.ceilDiv(count, COLUMNS);
            AttentionSoftmax.reset(s.statistics, s.otherStatistics, tiles * COLUMNS);
            Native.zero(s.result, tiles * s.paddedWidth * COLUMNS);
            int end = h.causal ? Math.min(h.keys, from + count) : h.keys;
            for (int key = 0; key < end; key += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, h.keys - key);
                AttentionTile.packRows(h.key(ks, image, head, key), h.rowBytes(), rows, h.width, s.first);
                AttentionTile.packColumns(h.key(vs, image, head, key), h.rowBytes(), rows, h.width, s.second);
                int firstTile = h.causal ? Math.max(0, key - from) / COLUMNS : 0;
                for (int tile = firstTile; tile < tiles; tile++) {
                    forwardTile(s, tile, rows, h.causal, key, from + tile * COLUMNS);
                }
            }
            for (int tile = 0; tile < tiles; tile++) {
                long max = s.statistics + tile * COLUMN_BYTES;
                AttentionSoftmax.finish(max, s.otherStatistics + tile * COLUMN_BYTES, s.scores);
                int first = from + tile * COLUMNS;
                int columns = Math.min(COLUMNS, count - tile * COLUMNS);
                AttentionTile.unpack(s.result(tile), s.scores, columns, h.width, s.panel, h.query(ys, image, head, first), h.rowBytes());
                Native.copy(max, h.statistic(sums, image, head, first), columns);
            }
        });
    }

    private static void forwardTile(AttentionScratch s, int tile, int rows, boolean causal, int key, int query) {
        scores(s.first, rows, s.width, s.right(tile), s.zeros, s.scores);
        if (causal && key + rows - 1 > query) {
            AttentionSoftmax.maskRowsAfterColumns(s.scores, rows, key, query);
        }
        if (AttentionSoftmax.update(s.scores, rows, s.statistics + tile * COLUMN_BYTES, s.otherStatistics + tile * COLUMN_BYTES, s.otherScores)) {
            AttentionSoftmax.rescale(s.result(tile), s.paddedWidth, s.otherScores);
        }
        accumulate(s.second, rows, s.paddedWidth, s.scores, s.result(tile));
    }

    /// `scores = left·right` over the head width, for all rows of a block.
    private static void scores(float[] panels, int rows, int width, long right, long zeros, long scores) {
        for (int r = 0; r < rows; r += ROWS) {
            multiplyAdd(width, panels, r * width, right, zeros, scores + r * COLUMN_BYTES);
        }
    }

    /// `result += leftᵀ·scores` over the rows of a block, for the whole head width.
    private static void accumulate(float[] panels, int rows, int paddedWidth, long scores, long result) {
        for (int d = 0; d < paddedWidth; d += ROWS) {
            multiplyAdd(rows, panels, d * rows, scores, result + d * COLUMN_BYTES, result + d * COLUMN_BYTES);
        }
    }

    void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        Heads h = Heads.of(spec, q, k);
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
            sum = AttentionTile.load(a + i * 4L).fma(AttentionTile.load(b + i * 4L), sum);
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
            Native.zero(s.result, tiles * s.paddedWidth * COLUMNS);
            AttentionSoftmax.reset(s.statistics, s.otherStatistics, tiles * COLUMNS);
            Native.copy(h.statistic(logSumExp, image, head, from), s.statistics, count);
            Native.copy(h.statistic(delta, image, head, from), s.otherStatistics, count);
            int end = h.causal ? Math.min(h.keys, from + count) : h.keys;
            for (int key = 0; key < end; key += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, h.keys - key);
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
        scores(s.first, rows, s.width, s.right(tile), s.zeros, s.scores);
        scores(s.second, rows, s.width, s.otherRight(tile), s.zeros, s.otherScores);
        if (causal && key + rows - 1 > query) {
            AttentionSoftmax.maskRowsAfterColumns(s.scores, rows, key, query);
        }
        AttentionSoftmax.differentiate(s.scores, s.otherScores, rows, s.statistics + tile * COLUMN_BYTES, s.otherStatistics + tile * COLUMN_BYTES);
        accumulate(s.third, rows, s.paddedWidth, s.scores, s.result(tile));
    }

    /// `dv = Pᵀ·dy` and `dk = scale·dSᵀ·q`; columns are keys.
    private void keyGradients(Heads h, long q, long k, long v, long logSumExp, long dy, long delta, long dk, long dv) {
        forEachBlock(h, h.keys, (s, image, head, from, count) -> {
            AttentionTile.packRight(h.key(k, image, head, from), h.rowBytes(), count, h.width, h.scale, s.panel, s.right);
            AttentionTile.packRight(h.key(v, image, head, from), h.rowBytes(), count, h.width, 1, s.panel, s.otherRight);
            int tiles = Math.ceilDiv(count, COLUMNS);
            Native.zero(s.result, tiles * s.paddedWidth * COLUMNS);
            Native.zero(s.otherResult, tiles * s.paddedWidth * COLUMNS);
            int start = h.causal ? from / BLOCK_ROWS * BLOCK_ROWS : 0;
            for (int query = start; query < h.queries; query += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, h.queries - query);
                long qBlock = h.query(q, image, head, query);
                long dyBlock = h.query(dy, image, head, query);
                AttentionTile.packRows(qBlock, h.rowBytes(), rows, h.width, s.first);
                AttentionTile.packRows(dyBlock, h.rowBytes(), rows, h.width, s.second);
                AttentionTile.packColumns(dyBlock, h.rowBytes(), rows, h.width, s.third);
                AttentionTile.packColumns(qBlock, h.rowBytes(), rows, h.width, s.fourth);
                long sums = h.statistic(logSumExp, image, head, query);
                long deltas = h.statistic(delta, image, head, query);
                int lastTile = h.causal ? Math.min(tiles, Math.ceilDiv(query + rows - from, COLUMNS)) : tiles;
                for (int tile = 0; tile < lastTile; tile++) {
                    keyGradientsTile(s, tile, rows, h.causal, query, from + tile * COLUMNS, sums, deltas);
                }
            }
            unpack(s, s.result, count, 1, h.key(dv, image, head, from), h.rowBytes());
            unpack(s, s.otherResult, count, h.scale, h.key(dk, image, head, from), h.rowBytes());
        });
    }

    private static void keyGradientsTile(AttentionScratch s, int tile, int rows, boolean causal, int query, int key, long logSumExp, long delta) {
        scores(s.first, rows, s.width, s.right(tile), s.zeros, s.scores);
        scores(s.second, rows, s.width, s.otherRight(tile), s.zeros, s.otherScores);
        if (causal && key + COLUMNS - 1 > query) {
            AttentionSoftmax.maskColumnsAfterRows(s.scores, rows, query, key);
        }
        AttentionSoftmax.differentiateRows(s.scores, s.otherScores, rows, logSumExp, delta);
        accumulate(s.third, rows, s.paddedWidth, s.scores, s.result(tile));
        accumulate(s.fourth, rows, s.paddedWidth, s.otherScores, s.otherResult(tile));
    }

    /// Tiles of results, times a factor, to rows of a matrix.
    private static void unpack(AttentionScratch s, long result, int count, float factor, long matrix, long rowBytes) {
        AttentionSoftmax.fill(s.scores, factor);
        for (int column = 0; column < count; column += COLUMNS) {
            long tile = result + (long) (column / COLUMNS) * s.paddedWidth * COLUMN_BYTES;
            AttentionTile.unpack(tile, s.scores, Math.min(COLUMNS, count - column), s.width, s.panel, matrix + column * rowBytes, rowBytes);
        }
    }
}
