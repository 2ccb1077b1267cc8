package dev.retrograd.cuda;

/// How many blocks a launch has, and how many threads a block, in three directions each.
///
/// @param cluster neighbouring blocks in x that run at once on neighbouring multiprocessors (compute capability 9.0), or 1
public record LaunchGrid(int x, int y, int z, int threadsX, int threadsY, int threadsZ, int cluster) {
    private static final int MAX_YZ = 65535;
    private static final int MAX_THREADS = 1024;
    /// As many as every device takes.
    private static final int MAX_CLUSTER = 8;

    public LaunchGrid {
        if (x < 1 || y < 1 || y > MAX_YZ || z < 1 || z > MAX_YZ) {
            throw new IllegalArgumentException("launch: blocks must be 1..2147483647 × 1..65535 × 1..65535, got " + x + "×" + y + "×" + z);
        }
        if (threadsX < 1 || threadsY < 1 || threadsZ < 1 || (long) threadsX * threadsY * threadsZ > MAX_THREADS) {
            throw new IllegalArgumentException("launch: threads of a block must be 1..1024, got " + threadsX + "×" + threadsY + "×" + threadsZ);
        }
        if (cluster < 1 || cluster > MAX_CLUSTER || x % cluster != 0) {
            throw new IllegalArgumentException("launch: a cluster must be 1..8 blocks and divide the " + x + " blocks of x, got " + cluster);
        }
    }

    /// Without clusters.
    public LaunchGrid(int x, int y, int z, int threadsX, int threadsY, int threadsZ) {
        this(x, y, z, threadsX, threadsY, threadsZ, 1);
    }

    /// Blocks in one direction.
    public static LaunchGrid of(int blocks, int threads) {
        return new LaunchGrid(blocks, 1, 1, threads, 1, 1);
    }

    /// Blocks in up to three directions, threads in one.
    public static LaunchGrid of(int x, int y, int z, int threads) {
        return new LaunchGrid(x, y, z, threads, 1, 1);
    }
}
