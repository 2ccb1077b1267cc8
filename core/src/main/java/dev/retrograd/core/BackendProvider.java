package dev.retrograd.core;

import java.util.List;

/// Opens the backends of one kind of device. Modules of such a kind name theirs in `META-INF/services`, and {@link java.util.ServiceLoader}
/// finds them: nothing depends on a device's module to compile.
public interface BackendProvider {

    /// What `--device` calls the kind: `cuda`.
    String kind();

    /// The devices that this host has, by their ordinals: what each is called, and what it can do.
    ///
    /// @throws NoDeviceException if this kind cannot be used at all
    List<String> devices();

    /// What every device of this kind that can be used computes in, at least one; the first is what is taken if nothing is asked for. Needs no device.
    List<Precision> precisions();

    /// Opens a device.
    ///
    /// @param ordinal which one, from 0
    /// @param options of which the precision is one of {@link #precisions()}
    /// @throws NoDeviceException if this host has no such device, or it cannot be used
    Backend open(int ordinal, BackendOptions options);
}
