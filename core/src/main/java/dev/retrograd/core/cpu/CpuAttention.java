package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionScratch.BLOCK_ROWS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.Native.ALL;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.AttentionProduct.Left;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/// Attention block by block: a task owns a block of queries of one head and walks all keys in order, so bits do not depend on the number of
/// threads. {@link AttentionBackward} has the gradients.
///
/// Source: arXiv 2205.14135 (online softmax, recomputation).
final class CpuAttention {
    /// Multiplications below which handing tasks out costs more than it gains.
    private static final long SMALL = 1 << 17;
    /// Tasks worth having: several times the threads of usual machines, and a constant.
    private static final int TASKS = 16;
    private static final int FEWEST_COLUMNS = 64;

    private final Workers workers;
    final AttentionProduct product;
    /// Of every thread, by head width: a model has few.
    private final List<Map<Integer, AttentionScratch>> scratch;

    CpuAttention(Workers workers) {
        this(workers, AttentionProduct.preferred());
    }

    CpuAttention(Workers workers, AttentionProduct product) {
        this.workers = workers;
        this.product = product;
        scratch = Stream.generate(() -> (Map<Integer, AttentionScratch>) new ConcurrentHashMap<Integer, AttentionScratch>())
                .limit(workers.threads()).toList();
    }

    /// Bytes of packing buffers of all threads.
    long workspaceBytes() {
        return scratch.stream().flatMap(widths -> widths.values().stream()).mapToLong(s -> s.bytes).sum();
    }

    /// A block of columns of one head, or all of a head: what a task works on.
    interface Body {
        void run(AttentionScratch s, int image, int head, int from, int count);
    }

    void forEachBlock(AttentionHeads h, int columns, Body body) {
        int block = AttentionScratch.columns(h.width());
        while (block > FEWEST_COLUMNS && (long) h.images() * h.heads() * Math.ceilDiv(columns, block) < TASKS) {
            block = block / 2 / COLUMNS * COLUMNS;
        }
        int size = block;
        int blocks = Math.ceilDiv(columns, size);
        int tasks = h.images() * h.heads() * blocks;
        long work = (long) h.images() * h.heads() * h.queries() * h.keys() * h.width();
        int perRun = work < SMALL ? tasks : 1;
        workers.run(Math.ceilDiv(tasks, perRun), (worker, run) -> {
            AttentionScratch s = scratch(worker, h);
            for (int task = run * perRun; task < Math.min(tasks, (run + 1) * perRun); task++) {
                int from = task % blocks * size;
                body.run(s, task / blocks / h.heads(), task / blocks % h.heads(), from, Math.min(size, columns - from));
            }
        });
    }

    /// Runs a task for every head of every image.
    void forEachHead(AttentionHeads h, Body body) {
        workers.run(h.images() * h.heads(), (worker, task) ->
                body.run(scratch(worker, h), task / h.heads(), task % h.heads(), 0, h.keys()));
    }

    private AttentionScratch scratch(int worker, AttentionHeads h) {
        return scratch.get(worker).computeIfAbsent(h.width(), width -> new AttentionScratch(width, product.packs()));
    }

    Workers workers() {
        return workers;
    }

    static long address(Tensor t) {
        return CpuMemory.data(t).address();
    }

    static long result(Tensor t) {
        return CpuMemory.result(t).address();
    }

    /// @param lengths how many keys each image has; none for all
    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, int... lengths) {
        AttentionHeads h = AttentionHeads.of(spec, q, k, lengths);
        long qs = address(q);
        long ks = address(k);
        long vs = address(v);
        long ys = result(y);
        long sums = result(logSumExp);
        forEachBlock(h, h.queries(), (s, image, head, from, count) -> {
            AttentionPacking.packRight(h.query(qs, image, head, from), h.rowBytes(), count, h.width(), h.scale(), s.packing, s.panel, s.right);
            int tiles = Math.ceilDiv(count, COLUMNS);
            Arrays.fill(s.statistics, Float.NEGATIVE_INFINITY);
            Arrays.fill(s.otherStatistics, 0);
            Arrays.fill(s.result, 0, s.result(tiles), 0);
            int keys = h.keys(image);
            int end = h.causal() ? Math.min(keys, from + count) : keys;
            for (int key = 0; key < end; key += BLOCK_ROWS) {
                int rows = Math.min(BLOCK_ROWS, keys - key);
                Left keyRows = product.rows(h.key(ks, image, head, key), h.rowBytes(), rows, h.width(), s, s.first);
                Left valueColumns = product.columns(h.key(vs, image, head, key), h.rowBytes(), rows, h.width(), s.second);
                int firstTile = h.causal() ? Math.max(0, key - from) / COLUMNS : 0;
                for (int tile = firstTile; tile < tiles; tile++) {
                    forwardTile(s, keyRows, valueColumns, tile, count - tile * COLUMNS, h.causal(), key, from + tile * COLUMNS);
                }
            }
            for (int tile = 0; tile < tiles; tile++) {
                AttentionSoftmax.finish(s.statistics, s.otherStatistics, tile * COLUMNS, s.factors);
                int columns = Math.min(COLUMNS, count - tile * COLUMNS);
                long to = h.query(ys, image, head, from + tile * COLUMNS);
                AttentionPacking.unpack(s.result, s.result(tile), s.factors, columns, h.width(), s.packing, false, to, h.rowBytes());
            }
            MemorySegment.copy(s.statistics, 0, ALL, JAVA_FLOAT, h.statistic(sums, image, head, from), count);
        });
    }

    private void forwardTile(AttentionScratch s, Left keyRows, Left valueColumns, int tile, int columns, boolean causal, int key, int query) {
        int rows = keyRows.rows();
        product.multiply(s, keyRows, s.width, s.right(tile), s.scores, 0, columns, false);
        if (causal && key + rows - 1 > query) {
            AttentionSoftmax.maskRowsAfterColumns(s.scores, rows, key, query);
        }
        AttentionSoftmax.update(s.scores, rows, s.statistics, s.otherStatistics, tile * COLUMNS, s.factors, s.weights);
        product.multiply(s, valueColumns, rows, s.weights, s.product, 0, columns, false);
        AttentionTile.fold(s.product, s.width, s.factors, s.result, s.result(tile));
    }
}
