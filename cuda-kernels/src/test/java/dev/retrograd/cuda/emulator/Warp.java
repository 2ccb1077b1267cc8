package dev.retrograd.cuda.emulator;

import java.util.Arrays;
import java.util.function.IntUnaryOperator;

/// 32 threads in lock step. Those with the smallest program counter run until they meet the next larger one: where control flow joins
/// again below a branch, as compilers lay it out, all lanes are together again.
final class Warp {
    static final int LANES = 32;
    static final int ALL = -1;
    private static final long TOO_MANY_INSTRUCTIONS = 1L << 33;

    final Block block;
    final int index;
    /// lane l of the register at slot s is element s + l
    final int[] r;
    final long[] q;
    final int[] p;
    /// lanes that the launch gave a thread
    final int exists;
    /// how often `bar.warp.sync` was passed
    int barriers;
    final AsyncCopies copies = new AsyncCopies();
    final WarpGroups groups = new WarpGroups();
    /// what this warp knows of each warp's clock, its own among them, and of each mbarrier's completed phases
    final int[] seen;
    /// how often it fenced ordinary writes for asynchronous readers, and initialised mbarriers for bulk copies
    int proxyFences;
    int initFences;
    Region lastGlobal;
    long executed;
    private final Program program;
    private final int[] pc = new int[LANES];
    private int alive;
    /// where it waits, or null
    private Op waiting;
    private Op last;
    private Mbarriers.Mbarrier blocker;
    private int blockedParity;

    Warp(Block block, int index) {
        this.block = block;
        this.index = index;
        program = block.program;
        r = program.narrowTemplate.clone();
        q = program.wideTemplate.clone();
        p = new int[program.predicates];
        seen = new int[block.warpCount() + Mbarriers.MOST];
        int threads = Math.min(LANES, block.threads() - index * LANES);
        exists = threads == LANES ? ALL : (1 << threads) - 1;
        fill("%laneid", l -> l);
        fill("%tid.x", l -> thread(l) % block.sizeX);
        fill("%tid.y", l -> thread(l) / block.sizeX % block.sizeY);
        fill("%tid.z", l -> thread(l) / block.sizeX / block.sizeY);
        fill("%ntid.x", _ -> block.sizeX);
        fill("%ntid.y", _ -> block.sizeY);
        fill("%ntid.z", _ -> block.sizeZ);
        fill("%nctaid.x", _ -> block.grid.x());
        fill("%nctaid.y", _ -> block.grid.y());
        fill("%nctaid.z", _ -> block.grid.z());
    }

    private void fill(String special, IntUnaryOperator value) {
        Integer slot = program.specials.get(special);
        if (slot != null) {
            for (int l = 0; l < LANES; l++) {
                r[slot + l] = value.applyAsInt(l);
            }
        }
    }

    /// Before the first instruction of another block.
    void start() {
        fill("%ctaid.x", _ -> block.x);
        fill("%ctaid.y", _ -> block.y);
        fill("%ctaid.z", _ -> block.z);
        Arrays.fill(pc, 0);
        alive = exists;
        waiting = null;
        barriers = 0;
        copies.clear();
        groups.clear();
        Arrays.fill(seen, 0);
        seen[index] = 1;
        proxyFences = 0;
        initFences = 0;
    }

    /// Number of a lane's thread in the block.
    int thread(int lane) {
        return index * LANES + lane;
    }

    boolean finished() {
        return alive == 0;
    }

    Op waiting() {
        return waiting;
    }

    /// The instruction that ended its threads.
    Op last() {
        return last;
    }

    /// Waits at a barrier no longer.
    void pass() {
        waiting = null;
    }

    void blockedBy(Mbarriers.Mbarrier b, int parity) {
        blocker = b;
        blockedParity = parity;
    }

    Mbarriers.Mbarrier blocker() {
        return blocker;
    }

    /// Whether it waits for nothing, or no longer: barriers are passed by another's hand.
    boolean canGo() {
        return waiting == null || waiting instanceof Mbarriers.TryWait && blocker.done(blockedParity);
    }

    /// Copies the lanes in the mask from one slot to another.
    void blend(boolean wide, int to, int from, int mask) {
        if (wide) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                q[to + l] = q[from + l];
            }
        } else {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                r[to + l] = r[from + l];
            }
        }
    }

    /// Runs until all lanes have ended or all wait at a barrier.
    void run() {
        waiting = null;
        while (alive != 0 && waiting == null) {
            runGroup();
        }
    }

    private void runGroup() {
        int at = Integer.MAX_VALUE;
        for (int m = alive; m != 0; m &= m - 1) {
            at = Math.min(at, pc[Integer.numberOfTrailingZeros(m)]);
        }
        int mask = 0;
        int next = Integer.MAX_VALUE;
        for (int m = alive; m != 0; m &= m - 1) {
            int l = Integer.numberOfTrailingZeros(m);
            if (pc[l] == at) {
                mask |= 1 << l;
            } else {
                next = Math.min(next, pc[l]);
            }
        }
        Op[] ops = program.ops;
        long count = 0;
        while (at < next) {
            Op op = ops[at];
            count++;
            int m = op.guard == Op.ALWAYS ? mask : mask & (op.negated ? ~p[op.guard] : p[op.guard]);
            if (!op.control) {
                if (m != 0) {
                    op.run(this, m);
                }
                at++;
            } else if (op instanceof Op.Branch branch) {
                if (branch.target <= at && executed + count > TOO_MANY_INSTRUCTIONS) {
                    throw fault(op, Integer.numberOfTrailingZeros(mask), "more than " + TOO_MANY_INSTRUCTIONS + " instructions: an endless loop");
                }
                if (m == mask) {
                    at = branch.target;
                } else if (m == 0) {
                    at++;
                } else {
                    setPc(mask & ~m, at + 1);
                    setPc(m, branch.target);
                    executed += count;
                    return;
                }
            } else if (op instanceof Op.Exit) {
                alive &= ~m;
                last = op;
                mask &= ~m;
                at++;
                if (mask == 0) {
                    break;
                }
            } else if (op instanceof Mbarriers.TryWait wait) {
                if (m != 0 && !wait.passes(this, m)) {
                    waiting = wait;
                    break;
                }
                at++;
            } else if (op instanceof Op.Barrier barrier) {
                if (m != exists) {
                    throw fault(op, Integer.numberOfTrailingZeros(m), "divergent barrier: all threads of the block must reach it, only lanes 0x"
                            + Integer.toHexString(m) + " of 0x" + Integer.toHexString(exists) + " did");
                }
                at++;
                waiting = barrier;
                break;
            }
        }
        executed += count;
        setPc(mask, at);
    }

    private void setPc(int mask, int value) {
        for (int m = mask; m != 0; m &= m - 1) {
            pc[Integer.numberOfTrailingZeros(m)] = value;
        }
    }

    /// Requires that exactly the lanes of a member mask are here together.
    void requireMembers(Op op, int memberMask, int mask) {
        if ((memberMask & exists) != mask) {
            throw fault(op, Integer.numberOfTrailingZeros(mask), "the lanes 0x" + Integer.toHexString(memberMask & exists)
                    + " must be here together, got 0x" + Integer.toHexString(mask));
        }
    }

    /// The fault of a lane: kernel, line, block and thread, then what is wrong.
    KernelFault fault(Op op, int lane, String what) {
        int t = thread(lane);
        return new KernelFault(program.name + ", line " + op.line + ", block (" + block.x + "," + block.y + "," + block.z + "), thread (" + t % block.sizeX + ","
                + t / block.sizeX % block.sizeY + "," + t / block.sizeX / block.sizeY + "): " + what);
    }
}
