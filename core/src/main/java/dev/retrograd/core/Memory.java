package dev.retrograd.core;

import java.util.Optional;
import java.util.function.BiFunction;

/// The memory of one backend: its stack of scopes, and how many bytes are live and were at most.
///
/// Counted are the bytes of tensors and workspaces, each rounded up to {@value #ALIGNMENT}, the same on every backend: a plan's figures and
/// a run's are equal to the byte. Belongs to one thread at a time.
public final class Memory implements AutoCloseable {
    /// Every allocation starts and ends on a multiple of this many bytes.
    public static final int ALIGNMENT = 64;

    private final BiFunction<String, Long, Storage> allocator;
    private final Scope root;
    private Scope current;
    private long live;
    private long peak;
    private long allocations;
    private MemoryObserver observer = MemoryObserver.NONE;
    private final Optional<ArenaBlock> arena;
    private Optional<ArenaReplay> replay = Optional.empty();

    /// Without an arena.
    ///
    /// @param allocator gives storage for a name and a number of bytes (a multiple of {@value #ALIGNMENT})
    public Memory(String name, BiFunction<String, Long, Storage> allocator) {
        this(name, allocator, Optional.empty());
    }

    /// @param arena of the device that `allocator` allocates on
    public Memory(String name, BiFunction<String, Long, Storage> allocator, ArenaBlock arena) {
        this(name, allocator, Optional.of(arena));
    }

    private Memory(String name, BiFunction<String, Long, Storage> allocator, Optional<ArenaBlock> arena) {
        this.allocator = allocator;
        this.arena = arena;
        root = new Scope(this, name, null);
        current = root;
    }

    /// Opens a scope inside the innermost open one.
    ///
    /// @throws OutOfMemoryException if its tensors are to lie in a block ({@link #replay}) that the backend has no room for
    public Scope open(String name) {
        current = new Scope(this, name, current);
        observer.opened(current);
        openReplay();
        return current;
    }

    /// A scope for whose tensors there is no block is closed again: nobody else has it.
    private void openReplay() {
        try {
            replay.ifPresent(r -> r.opened(current));
        } catch (OutOfMemoryException e) {
            current.close();
            throw e;
        }
    }

    /// Lays the tensors of pieces of the run to come into one block, each at the place that a plan gave it, until {@link #endReplay}. What is live and what
    /// the peak is does not change; what is reserved does, as nothing is lost to sizes of blocks. A piece whose tensors come otherwise than planned
    /// takes what is left of it from the backend's cache. No effect on a backend without an arena.
    ///
    /// @param scope name of the scopes that are a piece each
    /// @param plan of each
    public void replay(String scope, ArenaPlan plan) {
        endReplay();
        replay = arena.map(a -> new ArenaReplay(a, scope, plan));
    }

    /// Ends laying tensors into the block.
    ///
    /// @return how many were allocated otherwise than planned
    /// @throws IllegalStateException if one still lies in it
    public long endReplay() {
        if (replay.isEmpty()) {
            return 0;
        }
        if (!replay.get().isEmpty()) {
            throw new IllegalStateException("memory: tensors still lie in the arena: " + replay.get());
        }
        long unplanned = replay.get().unplanned();
        replay = Optional.empty();
        return unplanned;
    }

    /// Gives the block back that replays lay tensors into; the next one reserves it anew.
    public void releaseArena() {
        endReplay();
        arena.ifPresent(ArenaBlock::release);
    }

    /// Shows everything that happens from now on to an observer, instead of the one so far; {@link MemoryObserver#NONE} ends it.
    public void observe(MemoryObserver by) {
        observer = by;
    }

    /// The innermost open scope; outside all, the root, which ends with the backend.
    public Scope current() {
        return current;
    }

    /// Names of the open scopes, outermost first: `update 3 > step 12 > mid_block`.
    public String path() {
        return current.path();
    }

    /// A tensor in the innermost open scope; its contents are undefined.
    ///
    /// @throws OutOfMemoryException if the backend has no room for it
    public Tensor allocate(String name, Spec spec) {
        long bytes = Math.ceilDiv(Math.max(spec.bytes(), 1), (long) ALIGNMENT) * ALIGNMENT;
        Storage storage = replay.flatMap(r -> r.place(name, bytes)).orElseGet(() -> allocator.apply(name, bytes));
        return own(name, spec, storage, bytes);
    }

    /// A tensor over memory that the backend found elsewhere, in the innermost open scope; it counts like any other.
    public Tensor adopt(String name, Spec spec, Storage storage) {
        return own(name, spec, storage, storage.bytes());
    }

    private Tensor own(String name, Spec spec, Storage storage, long bytes) {
        storage.attach(this, current);
        current.own(storage);
        live += bytes;
        peak = Math.max(peak, live);
        allocations++;
        observer.allocated(storage);
        return new Tensor(name, spec, storage, 0);
    }

    /// Bytes of everything held now.
    public long liveBytes() {
        return live;
    }

    /// Most bytes ever live at once since the start or the last {@link #resetPeak()}.
    public long peakBytes() {
        return peak;
    }

    /// Allocations since the start.
    public long allocations() {
        return allocations;
    }

    /// Makes the peak start again from what is live now.
    public void resetPeak() {
        peak = live;
    }

    void freed(Storage storage) {
        live -= storage.bytes();
        storage.free();
        replay.ifPresent(r -> r.freed(storage));
        observer.freed(storage);
    }

    void closing(Scope scope) {
        if (scope != current) {
            throw new IllegalStateException("scope '" + scope.name() + "': closed while '" + current.name() + "', opened inside it, is still open");
        }
        observer.closing(scope);
        if (!scope.isOutermost()) {
            current = scope.parent();
        }
    }

    void closed(Scope scope) {
        observer.closed(scope);
        replay.ifPresent(r -> r.closed(scope));
    }

    /// Ends the root scope and with it everything that nobody retains.
    @Override public void close() {
        root.close();
    }
}
