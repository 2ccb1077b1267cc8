package dev.retrograd.cuda;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.stream.IntStream;

/// Copies between host memory of any kind and tensors, on a stream of their own beside the one that computes. Sizes have no limit.
///
/// Everything goes in pieces through a ring of slots, each of pinned host memory and as much memory of the device. Over the bus go copies between these two, on
/// the stream of copies; between a slot and a tensor the stream that computes copies, in its turn. So a tensor's memory is used by that one stream alone,
/// and may serve the next tensor as soon as this one is freed ({@link DevicePool}); while kernels run, the bus brings what those after them will read,
/// and takes away what those before them have written. Events keep the two streams apart where they meet in a slot.
///
/// | in a slot | must come after | by |
/// |---|---|---|
/// | the host writes or reads its pinned memory | the copy over the bus | the host's wait for `copied` |
/// | the bus fills the device's memory | the tensor that got what lay there | `moved` |
/// | a tensor takes from the device's memory | the copy over the bus | `copied` |
/// | the bus takes from the device's memory | the tensor's copy into it | `moved` |
/// | a tensor is copied into the device's memory | the copy over the bus to the host | the host's wait for `copied` |
final class Transfers implements AutoCloseable {
    private static final int SLOTS = 8;
    private static final long SLOT_BYTES = 512 << 10;

    private final CudaDriver driver;
    private final CudaDriver.Stream computing;
    private final CudaDriver.Stream copies;
    private final long address;
    private final Slot[] ring;
    private int next;

    private static final class Slot {
        private final MemorySegment pinned;
        private final long address;
        /// over the bus
        private final CudaDriver.Event copied;
        /// between the device's memory and a tensor
        private final CudaDriver.Event moved;
        private Optional<Arrival> arrival = Optional.empty();

        Slot(CudaDriver driver, long address) {
            this.address = address;
            pinned = driver.allocatePinned(SLOT_BYTES);
            copied = driver.createEvent();
            moved = driver.createEvent();
        }
    }

    /// What comes from the device.
    ///
    /// @param target where it goes when it is there
    /// @param download which it is a piece of
    private record Arrival(MemorySegment target, Object download) {
    }

    /// @param computing on which tensors are used
    Transfers(CudaDriver driver, CudaDriver.Stream computing) {
        this.driver = driver;
        this.computing = computing;
        copies = driver.createStream();
        address = driver.allocate(workspaceBytes());
        ring = IntStream.range(0, SLOTS).mapToObj(i -> new Slot(driver, address + i * SLOT_BYTES)).toArray(Slot[]::new);
    }

    /// Bytes on the device.
    static long workspaceBytes() {
        return SLOTS * SLOT_BYTES;
    }

    /// Returns when the source has been read; the device may still be copying.
    ///
    /// @throws IllegalArgumentException unless there are as many bytes as the tensor has
    void upload(MemorySegment source, Tensor target) {
        requireBytes("upload", source, target);
        long to = Launcher.address(target);
        for (long at = 0; at < source.byteSize(); at += SLOT_BYTES) {
            Slot slot = take();
            MemorySegment piece = slot.pinned.asSlice(0, Math.min(SLOT_BYTES, source.byteSize() - at));
            MemorySegment.copy(source, at, piece, 0, piece.byteSize());
            driver.await(slot.moved, copies);
            driver.copyToDevice(piece, slot.address, copies);
            driver.record(slot.copied, copies);
            driver.await(slot.copied, computing);
            driver.copyOnDevice(slot.address, to + at, piece.byteSize(), computing);
            driver.record(slot.moved, computing);
        }
    }

    /// Begins to copy a tensor as it is after all that was asked of the device so far. Returns at once where there are slots enough, else when the rest has some.
    ///
    /// @return to be run before the target is read: waits until all of it is there, and for nothing that was asked of the device later
    /// @throws IllegalArgumentException unless there are as many bytes as the tensor has
    Runnable download(Tensor source, MemorySegment target) {
        requireBytes("download", target, source);
        long from = Launcher.address(source);
        Object download = new Object();
        for (long at = 0; at < target.byteSize(); at += SLOT_BYTES) {
            Slot slot = take();
            MemorySegment piece = slot.pinned.asSlice(0, Math.min(SLOT_BYTES, target.byteSize() - at));
            driver.copyOnDevice(from + at, slot.address, piece.byteSize(), computing);
            driver.record(slot.moved, computing);
            driver.await(slot.moved, copies);
            driver.copyToHost(slot.address, piece, copies);
            driver.record(slot.copied, copies);
            slot.arrival = Optional.of(new Arrival(target.asSlice(at, piece.byteSize()), download));
        }
        return () -> finish(download);
    }

    private void finish(Object download) {
        for (int i = 0; i < SLOTS; i++) {
            Slot slot = ring[(next + i) % SLOTS];
            if (slot.arrival.isPresent() && slot.arrival.get().download == download) {
                settle(slot);
            }
        }
    }

    /// The slot whose turn it is, when the bus no longer needs it.
    private Slot take() {
        Slot slot = ring[next];
        next = (next + 1) % SLOTS;
        settle(slot);
        return slot;
    }

    private void settle(Slot slot) {
        driver.synchronize(slot.copied);
        slot.arrival.ifPresent(a -> MemorySegment.copy(slot.pinned, 0, a.target, 0, a.target.byteSize()));
        slot.arrival = Optional.empty();
    }

    private static void requireBytes(String what, MemorySegment host, Tensor t) {
        if (host.byteSize() != t.spec().bytes()) {
            throw new IllegalArgumentException(what + ": " + t + " takes " + t.spec().bytes() + " bytes, got " + host.byteSize());
        }
    }

    @Override public void close() {
        driver.synchronize(copies);
        for (Slot slot : ring) {
            driver.freePinned(slot.pinned);
        }
        driver.free(address);
    }
}
