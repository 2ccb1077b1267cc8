package dev.retrograd.cuda;

/// A launch that was made: equal ones compute the same of what lies in memory at their time.
///
/// @param hash a number for equal launches, in all bits of which all that they are is mixed
record Launch(CudaDriver.Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments.Kept arguments, CudaDriver.Stream stream, int hash) {
    private static final int MIX = 0x9E3779B9;

    /// A launch that is asked for, whose arguments the caller will write over.
    record Asked(CudaDriver.Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, CudaDriver.Stream stream) {

        /// Whether it is the same as one that was made, byte for byte.
        boolean is(Launch other) {
            return kernel == other.kernel && sharedBytes == other.sharedBytes && stream == other.stream && grid.equals(other.grid) && arguments.are(other.arguments);
        }

        Launch keep() {
            return new Launch(kernel, grid, sharedBytes, arguments.keep(), stream, hash());
        }

        int hash() {
            int hash = (31 * kernel.name().hashCode() + grid.hashCode()) * 31 + arguments.bytesHash();
            hash = (hash ^ hash >>> 16) * MIX;
            return hash ^ hash >>> 15;
        }
    }

    /// Whether both are the same, byte for byte.
    boolean is(Launch other) {
        return this == other
                || kernel == other.kernel && sharedBytes == other.sharedBytes && stream == other.stream && grid.equals(other.grid) && arguments.is(other.arguments);
    }

    /// Makes it again.
    ///
    /// @param scratch arguments that may be written over
    void on(CudaDriver driver, LaunchArguments scratch) {
        driver.launch(kernel, grid, sharedBytes, scratch.set(arguments), stream);
    }
}
