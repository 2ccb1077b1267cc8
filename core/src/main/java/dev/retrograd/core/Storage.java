package dev.retrograd.core;

/// One allocation of a backend, shared by the tensors that view it.
///
/// It lives while somebody holds it: the scope that it was allocated in, and whoever called {@link #retain()} (a tape that saved it
/// for backward, a parameter). When the last holder lets go, the memory returns to its backend at once; no garbage collection.
public abstract class Storage {
    private final String name;
    private final long bytes;
    private Memory memory;
    Scope owner;
    private int holders;
    private String freedBy;

    /// @param name what error messages call it
    /// @param bytes size that the accounting counts
    protected Storage(String name, long bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    final void attach(Memory to, Scope scope) {
        memory = to;
        owner = scope;
        holders = 1;
    }

    public final String name() {
        return name;
    }

    /// Bytes that count as live while it is held.
    public final long bytes() {
        return bytes;
    }

    /// Whether its contents may only be read, as those of a mapped file.
    public boolean readOnly() {
        return false;
    }

    public final boolean alive() {
        return holders > 0;
    }

    /// How many hold it: its scope and every {@link #retain()}.
    public final int holders() {
        return holders;
    }

    /// Holds it beyond its scope; pair with {@link #release(String)}.
    ///
    /// @throws IllegalStateException if it is freed already
    public final void retain() {
        requireAlive();
        holders++;
    }

    /// Lets go of it; the last holder frees it.
    ///
    /// @param by who lets go, for messages about later use
    /// @throws IllegalStateException if it is freed already
    public final void release(String by) {
        if (holders == 0) {
            throw new IllegalStateException("memory: '" + name + "' freed twice, by " + freedBy + " and by " + by);
        }
        if (--holders == 0) {
            freedBy = by;
            memory.freed(this);
        }
    }

    /// @throws IllegalStateException if it was freed, naming it and who freed it
    public final void requireAlive() {
        if (holders == 0) {
            throw new IllegalStateException("memory: '" + name + "' used after it was freed by " + freedBy);
        }
    }

    /// Gives the memory back to the backend; called once, by the last release.
    protected abstract void free();
}
