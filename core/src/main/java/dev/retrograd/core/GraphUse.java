package dev.retrograd.core;

/// What a device holds beside tensors so that launches which come again can be submitted many at a time: graphs of launches.
///
/// @param launches in all graphs
/// @param bytes of the device's memory by which its free memory shrank as they were made; other programs on the device blur it
public record GraphUse(int graphs, long launches, long bytes) {
    /// No graph.
    public static final GraphUse NONE = new GraphUse(0, 0, 0);

    /// Launches that a device keeps in graphs at most; others are submitted one by one. Those of a denoising step of Stable Diffusion 1.5, forwards and backwards,
    /// the decoder's and a reward's have room, whatever the number of steps.
    public static final long MOST_LAUNCHES = 32_768;

    /// Memory that a launch in a graph is assumed to take on the device. An assumption until it has been measured: a change of NVIDIA's own libraries (cccl,
    /// pull request 3768) speaks of some 10 KB. A device that takes more keeps fewer launches in graphs, so as to stay within what a plan set aside. `gpu-check` tells what its device takes.
    public static final long ASSUMED_BYTES_PER_LAUNCH = 16 << 10;

    /// What a plan sets aside, which a device keeps to.
    ///
    /// @param launches of an update, of which those that come again and again need room once; no more than so many can be in graphs
    public static long planned(long launches) {
        return Math.min(launches, MOST_LAUNCHES) * ASSUMED_BYTES_PER_LAUNCH;
    }

    /// With another graph.
    public GraphUse plus(long itsLaunches, long itsBytes) {
        return new GraphUse(graphs + 1, launches + itsLaunches, bytes + itsBytes);
    }

    /// Without one of those counted.
    public GraphUse minus(long itsLaunches, long itsBytes) {
        return new GraphUse(graphs - 1, launches - itsLaunches, bytes - itsBytes);
    }

    /// Whether another graph keeps to what a plan sets aside, if a launch takes as much as those so far.
    public boolean admits(long itsLaunches) {
        long all = launches + itsLaunches;
        return all <= MOST_LAUNCHES && (launches == 0 || (double) bytes / launches * all <= planned(MOST_LAUNCHES));
    }
}
