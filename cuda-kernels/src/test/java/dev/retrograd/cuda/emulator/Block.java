package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.LaunchGrid;

/// A thread block: its warps take turns between barriers. One object runs the blocks of a launch one after another.
final class Block {
    final Program program;
    final LaunchGrid grid;
    final int sizeX;
    final int sizeY;
    final int sizeZ;
    final SharedRegion shared;
    /// null where the program has no asynchronous instruction
    final BlockAsync async;
    final byte[] arguments;
    final DeviceMemory memory;
    int x;
    int y;
    int z;
    /// how often all threads passed a barrier
    int barriers;
    private final Region[] local;
    private final Warp[] warps;

    Block(Program program, LaunchGrid grid, int dynamicShared, byte[] arguments, DeviceMemory memory) {
        this.program = program;
        this.grid = grid;
        this.arguments = arguments;
        this.memory = memory;
        sizeX = grid.threadsX();
        sizeY = grid.threadsY();
        sizeZ = grid.threadsZ();
        local = new Region[program.localBytes == 0 ? 0 : threads()];
        warps = new Warp[Math.ceilDiv(threads(), Warp.LANES)];
        int sharedBytes = program.sharedBytes + dynamicShared;
        async = program.asynchronous ? new BlockAsync(this) : null;
        shared = program.asynchronous ? new OrderedRegion(this, sharedBytes, program.sharedGranuleShift) : new SharedRegion(sharedBytes, program.sharedGranuleShift);
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i);
        }
    }

    int threads() {
        return sizeX * sizeY * sizeZ;
    }

    int warpCount() {
        return warps.length;
    }

    Warp warp(int index) {
        return warps[index];
    }

    /// A thread's own memory.
    Region local(int thread) {
        if (local[thread] == null) {
            local[thread] = new Region("local memory", 0, program.localBytes);
        }
        return local[thread];
    }

    void run(int blockX, int blockY, int blockZ) {
        x = blockX;
        y = blockY;
        z = blockZ;
        barriers = 1;
        shared.clear();
        java.util.Arrays.fill(local, null);
        for (Warp w : warps) {
            w.start();
        }
        if (async != null) {
            async.clear();
            new Turns(this, warps).run();
            return;
        }
        while (!allFinished()) {
            for (Warp w : warps) {
                if (!w.finished()) {
                    w.run();
                }
            }
            checkBarrier();
            barriers++;
        }
    }

    private boolean allFinished() {
        for (Warp w : warps) {
            if (!w.finished()) {
                return false;
            }
        }
        return true;
    }

    /// Either all warps have ended or all wait at the same barrier.
    private void checkBarrier() {
        Op first = warps[0].waiting();
        for (Warp w : warps) {
            if (w.waiting() != first) {
                Warp waits = w.waiting() == null ? warps[0] : w;
                Warp other = waits == w ? warps[0] : w;
                throw waits.fault(waits.waiting(), 0, "divergent barrier: all threads of the block must reach it, warp " + other.index
                        + (other.waiting() == null ? " has ended" : " waits at line " + other.waiting().line));
            }
        }
    }

    /// Warp instructions so far.
    long executed() {
        long sum = 0;
        for (Warp w : warps) {
            sum += w.executed;
        }
        return sum;
    }
}
