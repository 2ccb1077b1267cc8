package dev.retrograd.core;

/// Is shown what happens to a backend's memory, in order: for plans, traces and profiles.
public interface MemoryObserver {
    /// Looks away.
    MemoryObserver NONE = new MemoryObserver() { };

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
