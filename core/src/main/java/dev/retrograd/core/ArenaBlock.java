package dev.retrograd.core;

/// One block of a device's memory in which tensors have fixed places; a backend's part in {@link Memory#replay}.
public interface ArenaBlock {

    /// Makes the block at least so large, with whatever the backend caches given back first. Nothing lies in it.
    ///
    /// @throws OutOfMemoryException if the device has no room for it
    void reserve(long bytes);

    /// A tensor's storage in the block; freeing it leaves the block as it is.
    ///
    /// @param offset within what was reserved
    Storage place(String name, long bytes, long offset);

    /// Gives the block back. Nothing lies in it.
    void release();
}
