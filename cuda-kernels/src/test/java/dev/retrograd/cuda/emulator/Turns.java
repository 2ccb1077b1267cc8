package dev.retrograd.cuda.emulator;

import java.util.Arrays;
import java.util.List;

/// The turns that warps of a block take where they wait for mbarriers, or for some of the others. A warp runs until it must wait; bulk copies land, one by one,
/// only when no warp can go on. Neighbouring blocks take turns, and have copies land, in opposite orders.
final class Turns {
    private final Block block;
    private final List<Warp> warps;

    Turns(Block block, Warp[] warps) {
        this.block = block;
        this.warps = Arrays.asList(warps);
    }

    void run() {
        boolean even = (block.x + block.y + block.z & 1) == 0;
        List<Warp> order = even ? warps : warps.reversed();
        while (!warps.stream().allMatch(Warp::finished)) {
            boolean moved = false;
            for (Warp w : order) {
                if (!w.finished() && w.canGo()) {
                    w.run();
                    moved = true;
                }
            }
            moved |= openBarriers();
            if (!moved) {
                if (block.async.copies.idle()) {
                    throw stuck();
                }
                block.async.copies.landOne(block.async.shared(), even);
            }
        }
        block.async.requireIdle();
    }

    /// Lets warps pass barriers that all of those have reached that must.
    private boolean openBarriers() {
        boolean opened = false;
        for (Warp first : warps) {
            if (first.waiting() instanceof Op.Barrier b) {
                List<Warp> here = warps.stream().filter(w -> w.waiting() instanceof Op.Barrier other && other.id(w) == b.id(first)).toList();
                int threads = b.threads(first);
                for (Warp w : here) {
                    if (((Op.Barrier) w.waiting()).threads(w) != threads) {
                        throw w.fault(w.waiting(), 0, "barrier " + b.id(first) + " is waited for with different numbers of threads: line " + b.line);
                    }
                }
                if (here.size() * Warp.LANES >= threads) {
                    pass(here, b, first, threads);
                    opened = true;
                }
            }
        }
        return opened;
    }

    private void pass(List<Warp> here, Op.Barrier b, Warp first, int threads) {
        if (here.stream().mapToInt(w -> Integer.bitCount(w.exists)).sum() != threads) {
            throw first.fault(b, 0, "a barrier of " + threads + " threads was reached by more, or by part of a warp");
        }
        int[] all = new int[first.seen.length];
        here.forEach(w -> Clocks.join(all, w.seen));
        for (Warp w : here) {
            Clocks.join(w.seen, all);
            w.seen[w.index]++;
            w.pass();
        }
    }

    private KernelFault stuck() {
        for (Warp w : warps) {
            if (w.waiting() instanceof Op.Barrier b) {
                long here = warps.stream().filter(o -> o.waiting() instanceof Op.Barrier other && other.id(o) == b.id(w)).count();
                return w.fault(b, 0, "divergent barrier: barrier " + b.id(w) + " waits for ever for " + b.threads(w) + " threads, " + here + " warps have come");
            }
        }
        Warp w = warps.stream().filter(u -> !u.finished()).findFirst().orElseThrow();
        return w.fault(w.waiting(), 0, "this waits for ever for " + w.blocker());
    }
}
