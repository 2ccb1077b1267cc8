package dev.retrograd.cuda;

/// How many blocks a launch has, and how many threads a block, in three directions each.
public record LaunchGrid(int x, int y, int z, int threadsX, int threadsY, int threadsZ) {
    private static final int MAX_YZ = 65535;
    private static final int MAX_THREADS = 1024;

    public LaunchGrid {
        if (x < 1 || y < 1 || y > MAX_YZ || z < 1 || z > MAX_YZ) {
            throw new IllegalArgumentException("launch: blocks must be 1..2147483647 × 1..65535 × 1..65535, got " + x + "×" + y + "×" + z);
        }
        if (threadsX < 1 || threadsY < 1 || threadsZ < 1 || (long) threadsX * threadsY * threadsZ > MAX_THREADS) {
            throw new IllegalArgumentException("launch: threads of a block must be 1..1024, got " + threadsX + "×" + threadsY + "×" + threadsZ);
        }
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
