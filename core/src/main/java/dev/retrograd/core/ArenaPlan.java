package dev.retrograd.core;

import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.TreeSet;

/// Where each tensor of a piece of a run lies in one block of memory, found from when each is made and freed.
///
/// @see Lifetimes how to record it
/// @see Memory#replay how to follow it
public final class ArenaPlan {
    /// Stands for a place outside the block, for a tensor that outlives the piece.
    public static final long ELSEWHERE = -1;
    /// Has a place for no tensor.
    public static final ArenaPlan EMPTY = new ArenaPlan(new long[0], new long[0], 0);
    /// Of every place: what a GPU reads at once.
    static final int ALIGNMENT = 256;
    /// So much of the block, as a fraction of it, may be lost to keeping parts at the same places.
    private static final int ACCEPTED_SHARE = 32;

    private final long[] sizes;
    private final long[] offsets;
    private final long bytes;

    private ArenaPlan(long[] sizes, long[] offsets, long bytes) {
        this.sizes = sizes;
        this.offsets = offsets;
        this.bytes = bytes;
    }

    /// Bytes of the block.
    public long bytes() {
        return bytes;
    }

    /// Number of tensors.
    public int allocations() {
        return sizes.length;
    }

    /// Bytes of the i-th tensor made.
    public long size(int i) {
        return sizes[i];
    }

    /// Where the i-th tensor made begins in the block, or {@link #ELSEWHERE}.
    public long offset(int i) {
        return offsets[i];
    }

    /// Gives each tensor the lowest of the smallest gaps that hold it as it is made (best fit), and its place back as it is freed.
    ///
    /// @param sizes of the tensors, in the order they are made
    /// @param events `i` where tensor i is made, `~i` where it is freed; one that is never freed is placed elsewhere
    static ArenaPlan of(long[] sizes, int... events) {
        return of(sizes, events, new int[0]);
    }

    /// The same for a piece with parts that are alike: what is made and freed within one of them is laid at the block's beginning, and what lives on when one
    /// begins or ends behind that. So the insides of all parts lie at the same places, however much is kept of those before. Where that would make the
    /// block much larger, all share the block.
    ///
    /// @param cuts numbers of the events before which such a part begins or ends, in order
    static ArenaPlan of(long[] sizes, int[] events, int[] cuts) {
        ArenaPlan shared = of(sizes, events, new boolean[sizes.length]);
        if (cuts.length == 0) {
            return shared;
        }
        ArenaPlan apart = of(sizes, events, alive(sizes.length, events, cuts));
        return apart.bytes <= shared.bytes + shared.bytes / ACCEPTED_SHARE ? apart : shared;
    }

    /// Which tensors are alive at a cut.
    private static boolean[] alive(int count, int[] events, int... cuts) {
        boolean[] alive = new boolean[count];
        int[] cutsBefore = new int[count];
        int passed = 0;
        for (int position = 0; position < events.length; position++) {
            while (passed < cuts.length && cuts[passed] <= position) {
                passed++;
            }
            int e = events[position];
            if (e < 0) {
                alive[~e] = passed > cutsBefore[~e];
            } else {
                cutsBefore[e] = passed;
            }
        }
        return alive;
    }

    /// @param behind which tensors lie behind all others
    private static ArenaPlan of(long[] sizes, int[] events, boolean... behind) {
        boolean[] freed = new boolean[sizes.length];
        for (int e : events) {
            if (e < 0) {
                freed[~e] = true;
            }
        }
        long[] offsets = new long[sizes.length];
        Gaps first = new Gaps();
        Gaps second = new Gaps();
        for (int e : events) {
            int i = e < 0 ? ~e : e;
            Gaps gaps = behind[i] ? second : first;
            if (e < 0) {
                gaps.give(offsets[i], aligned(sizes[i]));
            } else {
                offsets[i] = freed[i] ? gaps.take(aligned(sizes[i])) : ELSEWHERE;
            }
        }
        for (int i = 0; i < sizes.length; i++) {
            offsets[i] += behind[i] && freed[i] ? first.most : 0;
        }
        return new ArenaPlan(sizes, offsets, first.most + second.most);
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, (long) ALIGNMENT) * ALIGNMENT;
    }

    /// Unused stretches of a block that grows and shrinks at its end.
    private static final class Gaps {
        private record Gap(long size, long offset) implements Comparable<Gap> {
            @Override public int compareTo(Gap o) {
                return size == o.size ? Long.compare(offset, o.offset) : Long.compare(size, o.size);
            }
        }

        private final NavigableMap<Long, Long> byOffset = new TreeMap<>();
        private final NavigableSet<Gap> bySize = new TreeSet<>();
        private long end;
        private long most;

        private void add(long offset, long size) {
            byOffset.put(offset, size);
            bySize.add(new Gap(size, offset));
        }

        private void remove(long offset, long size) {
            byOffset.remove(offset);
            bySize.remove(new Gap(size, offset));
        }

        long take(long size) {
            Gap fit = bySize.ceiling(new Gap(size, 0));
            if (fit != null) {
                remove(fit.offset, fit.size);
                if (fit.size > size) {
                    add(fit.offset + size, fit.size - size);
                }
                return fit.offset;
            }
            long offset = end;
            end += size;
            most = Math.max(most, end);
            return offset;
        }

        void give(long offset, long size) {
            long from = offset;
            long to = offset + size;
            Map.Entry<Long, Long> below = byOffset.lowerEntry(offset);
            if (below != null && below.getKey() + below.getValue() == offset) {
                from = below.getKey();
                remove(from, below.getValue());
            }
            Long above = byOffset.get(to);
            if (above != null) {
                remove(to, above);
                to += above;
            }
            if (to == end) {
                end = from;
            } else {
                add(from, to - from);
            }
        }
    }
}
