package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionScratch.BLOCK_ROWS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.AttentionProduct.Left;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// The gradients of attention. With many heads a task owns one and forms its scores once; with few, so that there would be few tasks, a task owns
/// a block of queries for dq, and one of keys for dk and dv, and the scores are formed twice. Which of both is a matter of shapes alone, and bits do
/// not depend on the number of threads.
///
/// Source: arXiv 2307.08691.
final class AttentionBackward {
    /// Heads of all images from which on each is a task: as many as a block of Stable Diffusion has for one image.
    private static final int TOGETHER = 8;

    private final CpuAttention attention;
    private final AttentionProduct product;

    AttentionBackward(CpuAttention attention) {
        this.attention = attention;
        product = attention.product;
    }

    /// @param lengths how many keys each image has; none for all
    void run(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy, Tensor delta, Tensor dq, Tensor dk, Tensor dv, int... lengths) {
        AttentionHeads h = AttentionHeads.of(spec, q, k, lengths);
        sumsOfRows(h, y, dy, delta);
        Operands in = new Operands(CpuAttention.address(q), CpuAttention.address(k), CpuAttention.address(v), CpuAttention.address(logSumExp), CpuAttention.address(dy), CpuAttention.address(delta));
        if (h.images() * h.heads() >= TOGETHER) {
            together(h, in, CpuAttention.result(dq), CpuAttention.result(dk), CpuAttention.result(dv));
        } else {
            queryGradient(h, in, CpuAttention.result(dq));
            keyGradients(h, in, CpuAttention.result(dk), CpuAttention.result(dv));
        }
    }

    /// Addresses of what is read.
    private record Operands(long q, long k, long v, long logSumExp, long dy, long delta) {
    }

    /// `delta = Σ dy·y` over each head's channels.
    private void sumsOfRows(AttentionHeads h, Tensor y, Tensor dy, Tensor delta) {
        long ys = CpuAttention.address(y);
        long dys = CpuAttention.address(dy);
        long deltas = CpuAttention.result(delta);
        RowChunks.ofImages(y).forEach(attention.workers(), (image, _, from, to) -> {
            for (int row = (int) from; row < to; row++) {
                for (int head = 0; head < h.heads(); head++) {
                    float sum = dot(h.query(ys, image, head, row), h.query(dys, image, head, row), h.width());
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
    private void queryGradient(AttentionHeads h, Operands in, long dq) {
        attention.forEachBlock(h, h.queries(), (s, image, head, from, count) -> {
            AttentionPacking.packRight(h.query(in.q, image, head, from), h.rowBytes(), count, h.width(), h.scale(), s.packing, s.panel, s.right);
            AttentionPacking.packRight(h.query(in.dy, image, head, from), h.rowBytes(), count, h.width(), 1, s.packing, s.panel, s.otherRight);
            int tiles = Math.ceilDiv(count, COLUMNS);
            Arrays.fill(s.result, 0, s.result(tiles), 0);
            Native.copy(h.statistic(in.logSumExp, image, head, from), s.statistics, 0, count);
            Native.copy(h.statistic(in.delta, image, head, from), s.otherStatistics, 0, count);
            int keys = h.keys(image);
            int end = h.causal() ? Math.min(keys, from + count) : keys;
            for (int key = 0; key < end; key += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, keys - key);
                Left keyRows = product.rows(h.key(in.k, image, head, key), h.rowBytes(), rows, h.width(), s, s.first);
                Left valueRows = product.rows(h.key(in.v, image, head, key), h.rowBytes(), rows, h.width(), s, s.second);
                Left keyColumns = product.columns(h.key(in.k, image, head, key), h.rowBytes(), rows, h.width(), s.third);
                int firstTile = h.causal() ? Math.max(0, key - from) / COLUMNS : 0;
                for (int tile = firstTile; tile < tiles; tile++) {
                    queryGradientTile(s, keyRows, valueRows, keyColumns, tile, count - tile * COLUMNS, h.causal(), key, from + tile * COLUMNS);
                }
            }
            unpack(s, s.result, count, h.scale(), h.query(dq, image, head, from), h.rowBytes());
        });
    }

    private void queryGradientTile(AttentionScratch s, Left keyRows, Left valueRows, Left keyColumns, int tile, int columns, boolean causal, int key, int query) {
        int rows = keyRows.rows();
        product.multiply(s, keyRows, s.width, s.right(tile), s.scores, 0, columns, false);
        product.multiply(s, valueRows, s.width, s.otherRight(tile), s.otherScores, 0, columns, false);
        if (causal && key + rows - 1 > query) {
            AttentionSoftmax.maskRowsAfterColumns(s.scores, rows, key, query);
        }
        AttentionSoftmax.differentiate(s.scores, s.otherScores, rows, s.statistics, s.otherStatistics, tile * COLUMNS, s.weights);
        product.multiply(s, keyColumns, rows, s.weights, s.result, s.result(tile), columns, true);
    }

    /// `dv = Pᵀ·dy` and `dk = scale·dSᵀ·q`; columns are keys.
    private void keyGradients(AttentionHeads h, Operands in, long dk, long dv) {
        attention.forEachBlock(h, h.keys(), (s, image, head, from, all) -> {
            int count = Math.clamp(h.keys(image) - from, 0, all);
            zero(h, image, head, from + count, from + all, dk, dv);
            if (count > 0) {
                keyBlock(s, h, in, image, head, from, count, NO_QUERIES);
                unpack(s, s.result, count, 1, h.key(dv, image, head, from), h.rowBytes());
                unpack(s, s.otherResult, count, h.scale(), h.key(dk, image, head, from), h.rowBytes());
            }
        });
    }

    /// All three, the scores formed once: a task owns a head, so that it alone adds to the head's dq, one block of keys after the other.
    private void together(AttentionHeads h, Operands in, long dq, long dk, long dv) {
        attention.forEachHead(h, (s, image, head, _, all) -> {
            int keys = h.keys(image);
            zero(h, image, head, keys, all, dk, dv);
            if (keys == 0) {
                for (int query = 0; query < h.queries(); query++) {
                    Native.zero(h.query(dq, image, head, query), h.width());
                }
            }
            for (int from = 0; from < keys; from += s.columns()) {
                int count = Math.min(s.columns(), keys - from);
                boolean add = from > 0;
                Left keyColumns = product.columns(h.key(in.k, image, head, from), h.rowBytes(), count, h.width(), s.keyPanels);
                keyBlock(s, h, in, image, head, from, count, (query, rows, lastTile) -> {
                    Arrays.fill(s.factors, h.scale());
                    int depth = Math.min(count, lastTile * COLUMNS);
                    for (int row = 0; row < rows; row += COLUMNS) {
                        product.multiply(s, keyColumns, depth, s.turned(row, 0), s.product, 0, rows - row, false);
                        AttentionPacking.unpack(s.product, 0, s.factors, Math.min(COLUMNS, rows - row), h.width(), s.packing, add, h.query(dq, image, head, query + row), h.rowBytes());
                    }
                });
                unpack(s, s.result, count, 1, h.key(dv, image, head, from), h.rowBytes());
                unpack(s, s.otherResult, count, h.scale(), h.key(dk, image, head, from), h.rowBytes());
            }
        });
    }

    /// Keys that are padding.
    private static void zero(AttentionHeads h, int image, int head, int from, int to, long dk, long dv) {
        for (int key = from; key < to; key++) {
            Native.zero(h.key(dk, image, head, key), h.width());
            Native.zero(h.key(dv, image, head, key), h.width());
        }
    }

    /// What is done with a block of queries, once the gradients of its scores are turned.
    private interface Queries {
        /// @param lastTile one after the last tile of keys that these queries see
        void turned(int query, int rows, int lastTile);
    }

    private static final Queries NO_QUERIES = (_, _, _) -> { };

    /// dv and dk of a block of keys, in tiles; dk without its scale.
    private void keyBlock(AttentionScratch s, AttentionHeads h, Operands in, int image, int head, int from, int count, Queries queries) {
        AttentionPacking.packRight(h.key(in.k, image, head, from), h.rowBytes(), count, h.width(), h.scale(), s.packing, s.panel, s.right);
        AttentionPacking.packRight(h.key(in.v, image, head, from), h.rowBytes(), count, h.width(), 1, s.packing, s.panel, s.otherRight);
        int tiles = Math.ceilDiv(count, COLUMNS);
        Arrays.fill(s.result, 0, s.result(tiles), 0);
        Arrays.fill(s.otherResult, 0, s.result(tiles), 0);
        int start = h.causal() ? from / BLOCK_ROWS * BLOCK_ROWS : 0;
        for (int query = start; query < h.queries(); query += BLOCK_ROWS) {
            int rows = Math.min(BLOCK_ROWS, h.queries() - query);
            long qBlock = h.query(in.q, image, head, query);
            long dyBlock = h.query(in.dy, image, head, query);
            QueryBlock block = new QueryBlock(product.rows(qBlock, h.rowBytes(), rows, h.width(), s, s.first),
                    product.rows(dyBlock, h.rowBytes(), rows, h.width(), s, s.second),
                    product.columns(dyBlock, h.rowBytes(), rows, h.width(), s.third),
                    product.columns(qBlock, h.rowBytes(), rows, h.width(), s.fourth));
            Native.copy(h.statistic(in.logSumExp, image, head, query), s.statistics, 0, rows);
            Native.copy(h.statistic(in.delta, image, head, query), s.otherStatistics, 0, rows);
            int lastTile = h.causal() ? Math.min(tiles, Math.ceilDiv(query + rows - from, COLUMNS)) : tiles;
            for (int tile = 0; tile < lastTile; tile++) {
                keyGradientsTile(s, block, tile, count - tile * COLUMNS, h.causal(), query, from + tile * COLUMNS);
                if (queries != NO_QUERIES) {
                    product.turn(s, s.scores, tile, rows);
                }
            }
            queries.turned(query, rows, lastTile);
        }
    }

    /// Left operands of a block of queries.
    private record QueryBlock(Left queryRows, Left gradientRows, Left gradientColumns, Left queryColumns) {}

    private void keyGradientsTile(AttentionScratch s, QueryBlock block, int tile, int columns, boolean causal, int query, int key) {
        int rows = block.queryRows.rows();
        product.multiply(s, block.queryRows, s.width, s.right(tile), s.scores, 0, columns, false);
        product.multiply(s, block.gradientRows, s.width, s.otherRight(tile), s.otherScores, 0, columns, false);
        if (causal && key + COLUMNS - 1 > query) {
            AttentionSoftmax.maskColumnsAfterRows(s.scores, rows, query, key);
        }
        AttentionSoftmax.differentiateRows(s.scores, s.otherScores, rows, s.statistics, s.otherStatistics, s.weights, s.otherWeights);
        product.multiply(s, block.gradientColumns, rows, s.weights, s.result, s.result(tile), columns, true);
        product.multiply(s, block.queryColumns, rows, s.otherWeights, s.otherResult, s.result(tile), columns, true);
    }

    /// Tiles of results, times a factor, to rows of a matrix.
    private static void unpack(AttentionScratch s, float[] result, int count, float factor, long matrix, long rowBytes) {
        Arrays.fill(s.factors, factor);
        for (int column = 0; column < count; column += COLUMNS) {
            AttentionPacking.unpack(result, s.result(column / COLUMNS), s.factors, Math.min(COLUMNS, count - column), s.width, s.packing, false, matrix + column * rowBytes, rowBytes);
        }
    }
}
