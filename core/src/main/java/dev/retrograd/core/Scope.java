package dev.retrograd.core;

import java.util.ArrayList;
import java.util.List;

/// A stretch of computation: what is allocated inside dies at its end, except what was kept.
///
/// ```java
/// try (Scope step = backend.memory().open("step 3")) {
///     Tensor eps = ...;             // allocated in the innermost open scope
///     return step.keep(next);       // survives, now belongs to the scope around
/// }
/// ```
///
/// Scopes nest; they close in the reverse order of opening. Not thread-safe: a backend's memory belongs to one thread at a time.
public final class Scope implements AutoCloseable {
    private final Memory memory;
    private final String name;
    private final Scope parent;
    private final List<Storage> owned = new ArrayList<>();
    private String path;
    private boolean closed;

    Scope(Memory memory, String name, Scope parent) {
        this.memory = memory;
        this.name = name;
        this.parent = parent;
    }

    public String name() {
        return name;
    }

    /// Names of the scopes from the outermost to this one: `cpu > update 3 > step 12`.
    public String path() {
        if (path == null) {
            path = parent == null ? name : parent.path() + " > " + name;
        }
        return path;
    }

    /// The scope around this one; the root has none.
    ///
    /// @throws IllegalStateException on the root
    public Scope parent() {
        if (parent == null) {
            throw new IllegalStateException("scope '" + name + "': the root has no parent");
        }
        return parent;
    }

    /// Whether it is the root, which has no scope around it and ends with the backend.
    public boolean isOutermost() {
        return parent == null;
    }

    void own(Storage storage) {
        owned.add(storage);
    }

    /// Moves a tensor that was allocated in this scope to the scope around it; one that lives further out stays where it is.
    ///
    /// @return the same tensor
    /// @throws IllegalStateException if it is freed, or if it belongs to a scope inside this one that is still open
    public Tensor keep(Tensor tensor) {
        Storage s = tensor.storage();
        if (s.owner == this) {
            s.owner = parent();
            parent.own(s);
        } else if (s.owner != null && s.owner.isInside(this)) {
            throw new IllegalStateException("scope '" + name + "': '" + tensor.name() + "' belongs to the open scope '" + s.owner.name + "' inside it");
        }
        return tensor;
    }

    private boolean isInside(Scope outer) {
        for (Scope s = parent; s != null; s = s.parent) {
            if (s == outer) {
                return true;
            }
        }
        return false;
    }

    /// Lets go of everything that still belongs to this scope.
    ///
    /// @throws IllegalStateException if a scope that was opened inside it is still open
    @Override public void close() {
        if (closed) {
            return;
        }
        memory.closing(this);
        closed = true;
        for (Storage s : owned) {
            if (s.owner == this) {
                s.owner = null;
                s.release("the end of scope '" + name + "'");
            }
        }
        owned.clear();
        memory.closed(this);
    }
}
