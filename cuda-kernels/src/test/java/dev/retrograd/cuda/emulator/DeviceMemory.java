package dev.retrograd.cuda.emulator;

import java.util.Map;
import java.util.TreeMap;

/// Emulated global memory: allocations with room between them, so that no overrun reaches a neighbour.
final class DeviceMemory {
    private static final long FIRST_ADDRESS = 0x7_0000_0000L;
    private static final int GAP = 4096;
    private static final int ALIGNMENT = 256;

    private final TreeMap<Long, Region> regions = new TreeMap<>();
    private long next = FIRST_ADDRESS;
    private long used;

    Region allocate(String name, int bytes) {
        Region region = new Region(name, next, bytes);
        regions.put(next, region);
        next = Math.ceilDiv(next + bytes + GAP, (long) ALIGNMENT) * ALIGNMENT;
        used += bytes;
        return region;
    }

    /// @throws IllegalStateException if no allocation starts there
    void free(long address) {
        Region region = regions.remove(address);
        if (region == null) {
            throw new IllegalStateException("emulator: free takes the address of an allocation, got 0x" + Long.toHexString(address));
        }
        used -= region.data.length;
    }

    long used() {
        return used;
    }

    int allocations() {
        return regions.size();
    }

    /// The allocation that holds all of these bytes, or null.
    Region find(long address, long bytes) {
        Map.Entry<Long, Region> below = regions.floorEntry(address);
        if (below == null || address - below.getKey() + bytes > below.getValue().data.length) {
            return null;
        }
        return below.getValue();
    }

    /// What lies nearest below an address, for messages.
    String near(long address) {
        Map.Entry<Long, Region> below = regions.floorEntry(address);
        return below == null ? "no allocation lies below" : (address - below.getKey()) + " bytes into an allocation of " + below.getValue().data.length + " bytes";
    }
}
