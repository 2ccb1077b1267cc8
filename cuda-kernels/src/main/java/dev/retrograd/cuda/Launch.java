package dev.retrograd.cuda;

/// What a launch does: equal ones compute the same of what lies in memory at their time.
///
/// @param arguments others may write to them after the launch, unless this is {@link #kept}
record Launch(CudaDriver.Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, CudaDriver.Stream stream) {
    private static final int MIX = 0x9E3779B9;

    /// With arguments of its own.
    Launch kept() {
        return new Launch(kernel, grid, sharedBytes, arguments.copy(), stream);
    }

    /// Whether both are the same, byte for byte.
    boolean is(Launch other) {
        return this == other || kernel == other.kernel && sharedBytes == other.sharedBytes && stream == other.stream && grid.equals(other.grid) && arguments.sameBytes(other.arguments);
    }

    /// A number for equal launches, in all bits of which all that they are is mixed.
    int mixedHash() {
        int hash = (31 * kernel.name().hashCode() + grid.hashCode()) * 31 + arguments.bytesHash();
        hash = (hash ^ hash >>> 16) * MIX;
        return hash ^ hash >>> 15;
    }

    void on(CudaDriver driver) {
        driver.launch(kernel, grid, sharedBytes, arguments, stream);
    }
}
