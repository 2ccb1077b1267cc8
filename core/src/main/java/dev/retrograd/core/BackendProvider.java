package dev.retrograd.core;

/// Opens the backends of one kind of device. Modules of such a kind name theirs in `META-INF/services`, and {@link java.util.ServiceLoader}
/// finds them: nothing depends on a device's module to compile.
public interface BackendProvider {

    /// What `--device` calls the kind: `cuda`.
    String kind();

    /// Opens a device.
    ///
    /// @param ordinal which one, from 0
    /// @throws IllegalStateException if this host has no such device that can be used; the message is one sentence that says why and what to do
    Backend open(int ordinal);
}
