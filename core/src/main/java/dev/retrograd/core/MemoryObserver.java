package dev.retrograd.core;

/// Is shown what happens to a backend's memory, in order: for plans, traces and profiles.
public interface MemoryObserver {
    /// Looks away.
    MemoryObserver NONE = new MemoryObserver() { };

    /// Shows everything to one and then to the other.
    static MemoryObserver both(MemoryObserver first, MemoryObserver second) {
        return new MemoryObserver() {
            @Override public void opened(Scope scope) {
                first.opened(scope);
                second.opened(scope);
            }

            @Override public void closing(Scope scope) {
                first.closing(scope);
                second.closing(scope);
            }

            @Override public void closed(Scope scope) {
                first.closed(scope);
                second.closed(scope);
            }

            @Override public void allocated(Storage storage) {
                first.allocated(storage);
                second.allocated(storage);
            }

            @Override public void freed(Storage storage) {
                first.freed(storage);
                second.freed(storage);
            }
        };
    }

    /// A scope was opened.
    default void opened(Scope scope) {
    }

    /// A scope is about to let go of what belongs to it.
    default void closing(Scope scope) {
    }

    /// A scope has let go of what belonged to it.
    default void closed(Scope scope) {
    }

    /// A tensor's storage was allocated; its bytes count as live.
    default void allocated(Storage storage) {
    }

    /// A storage was freed; its bytes no longer count.
    default void freed(Storage storage) {
    }
}
