package dev.retrograd.cuda.emulator;

import java.util.ArrayList;
import java.util.List;

/// What is under way in a block beside its warps: bulk copies, the mbarriers that they complete, and products of warpgroups.
final class BlockAsync {
    private static final int WARPS = 4;

    final Mbarriers mbarriers;
    final BulkCopies copies = new BulkCopies();
    private final Block block;
    /// what each warpgroup multiplied, in order
    private final List<List<Long>> products = new ArrayList<>();

    BlockAsync(Block block) {
        this.block = block;
        mbarriers = new Mbarriers(block);
        for (int i = 0; i < Math.ceilDiv(block.warpCount(), WARPS); i++) {
            products.add(new ArrayList<>());
        }
    }

    OrderedRegion shared() {
        return (OrderedRegion) block.shared;
    }

    void clear() {
        mbarriers.clear();
        copies.clear();
        products.forEach(List::clear);
    }

    /// Requires that nothing under way reads or writes these bytes, and that they are no mbarrier.
    void requireNotUsed(Warp w, Op op, int lane, int i, int bytes) {
        if (mbarriers.over(i, bytes)) {
            throw w.fault(op, lane, "byte " + i + " of shared memory belongs to an mbarrier, which only its own instructions may write");
        }
        copies.over(i, bytes).ifPresent(c -> {
            throw w.fault(op, lane, "byte " + i + " of shared memory is written while the bulk copy of line " + c.line() + " may still be writing it");
        });
        for (int u = 0; u < block.warpCount(); u++) {
            WarpGroups.MultiplyAsync reader = block.warp(u).groups.reading(i, bytes);
            if (reader != null) {
                throw w.fault(op, lane, "byte " + i + " of shared memory is written while the wgmma of line " + reader.line + " of warp " + u + " may still be reading it");
            }
        }
    }

    /// Requires that all warps of a warpgroup multiply the same matrices in the same order.
    void requireSameProduct(Warp w, Op op, int number, long product) {
        List<Long> known = products.get(w.index / WARPS);
        if (block.warpCount() < (w.index / WARPS + 1) * WARPS) {
            throw w.fault(op, 0, "wgmma takes four warps, the first of which has a number that is a multiple of 4");
        }
        if (number == known.size()) {
            known.add(product);
        } else if (known.get(number) != product) {
            throw w.fault(op, 0, "the four warps of a warpgroup must run the same wgmma with the same descriptors");
        }
    }

    /// Requires that a block which has ended left nothing under way.
    void requireIdle() {
        copies.requireIdle();
        for (int u = 0; u < block.warpCount(); u++) {
            Warp w = block.warp(u);
            if (!w.groups.idle()) {
                throw w.fault(w.last(), 0, "the warp ended before a wgmma.wait_group for its products");
            }
            if (w.groups.issued() != products.get(u / WARPS).size()) {
                throw w.fault(w.last(), 0, "the four warps of a warpgroup must run the same wgmma, got " + w.groups.issued() + " of " + products.get(u / WARPS).size());
            }
        }
    }
}
