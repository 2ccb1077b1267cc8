package dev.retrograd.cuda;

import dev.retrograd.core.GraphUse;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/// Another driver, with launches that came before submitted as CUDA graphs: many for the price of one, where launching costs more than computing.
///
/// Launches are recorded as they come, in stretches. When the first launch of a known stretch comes again, it is held back, and so are those that
/// follow as long as they are the same in kernel, grid and every byte of their arguments; when the stretch is whole, its graph is launched. A graph is
/// recorded the first time that it is asked for. If a launch differs, another stretch with the same beginning goes on, or what was held back is launched one by
/// one and recorded as a stretch of its own. Whatever else is asked of the same stream that could tell whether a launch has happened (a copy, an event, a
/// wait), and memory given back, comes after all that was held back; another stream waits for that by events alone. So the device does the same work in
/// the same order with and without graphs.
///
/// A stretch ends where something else is asked for, at a launch whose hash says so, or where it has become long. Since the hash is of the launch itself,
/// stretches fall into step again after a difference, as blocks of files do in the synchronisation of `rsync`.
///
/// Graphs take memory of the device. How much is seen from what is free before one is made and after its first launch, and kept to {@link GraphUse#planned}: stretches
/// for which there is no room are launched one by one.
final class GraphingDriver implements CudaDriver {
    /// Launches that a graph is worth.
    private static final int LEAST = 8;
    /// Launches before a hash ends a stretch.
    private static final int LEAST_BY_HASH = 16;
    /// One hash in so many ends a stretch.
    private static final int HASHES = 64;
    /// So that the device does not wait long for what is held back.
    private static final int MOST = 256;

    private final CudaDriver driver;
    private final Consumer<String> notices;
    private final Stretches known;
    private final GraphShelf shelf;
    /// launches since the last stretch ended, all submitted
    private final List<Launch> recorded = new ArrayList<>();
    /// the stretch whose first launches came again, and how many of them
    private Optional<Stretch> followed = Optional.empty();
    private int held;
    private final LaunchArguments scratch = new LaunchArguments();
    /// of what is recorded or held back; null before the first launch
    private Stream current;
    private boolean off;
    private boolean capturing;

    /// @param driver closed with this
    /// @param notices told, in a sentence, when graphs cannot be made; launches go one by one from then on
    GraphingDriver(CudaDriver driver, Consumer<String> notices) {
        this.driver = driver;
        this.notices = notices;
        shelf = new GraphShelf(driver);
        known = new Stretches(shelf::remove);
    }

    @Override public void launch(Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, Stream stream) {
        if (off || capturing) {
            driver.launch(kernel, grid, sharedBytes, arguments, stream);
            return;
        }
        if (stream != current) {
            flush();
            current = stream;
        }
        Launch.Asked next = new Launch.Asked(kernel, grid, sharedBytes, arguments, stream);
        if (followed.isEmpty() && recorded.isEmpty()) {
            followed = known.startingWith(next);
        } else if (followed.isPresent() && !next.is(followed.get().at(held))) {
            Stretch left = followed.get();
            followed = known.branching(left, held, next);
            if (followed.isEmpty()) {
                recorded.addAll(left.first(held));
                submitOneByOne(left);
            }
        }
        if (followed.isPresent()) {
            held++;
            if (held == followed.get().size()) {
                submit(followed.get());
            }
        } else {
            driver.launch(kernel, grid, sharedBytes, arguments, stream);
            record(next.keep());
        }
    }

    private void record(Launch next) {
        recorded.add(next);
        boolean ends = recorded.size() >= LEAST_BY_HASH && Integer.remainderUnsigned(next.hash(), HASHES) == 0;
        if (ends || recorded.size() == MOST) {
            endRecorded();
        }
    }

    private void endRecorded() {
        if (recorded.size() >= LEAST) {
            known.add(new Stretch(recorded));
        }
        recorded.clear();
    }

    private void release() {
        followed = Optional.empty();
        held = 0;
    }

    private void submitOneByOne(Stretch s) {
        int count = held;
        release();
        s.first(count).forEach(launch -> launch.on(driver, scratch));
    }

    private void submit(Stretch s) {
        known.used(s);
        boolean fresh = s.graph().isEmpty() && shelf.admits(s, known.staleBefore());
        long free = fresh ? driver.freeBytes() : 0;
        if (fresh) {
            capture(s);
        }
        if (s.graph().isPresent()) {
            release();
            driver.launch(s.graph().get(), s.at(0).stream());
            if (fresh) {
                shelf.add(s, Math.max(0, free - driver.freeBytes()));
            }
            shelf.used(s);
        } else {
            submitOneByOne(s);
        }
    }

    private void capture(Stretch s) {
        try {
            s.graph(captured(s));
        } catch (CudaException e) {
            off = true;
            known.clear();
            notices.accept("CUDA graphs are off, kernels are launched one by one: " + e.getMessage());
        }
    }

    private Graph captured(Stretch s) {
        Stream stream = s.at(0).stream();
        driver.beginCapture(stream);
        boolean recordedAll = false;
        try {
            s.first(s.size()).forEach(launch -> launch.on(driver, scratch));
            recordedAll = true;
        } finally {
            if (!recordedAll) {
                driver.free(driver.endCapture(stream));
            }
        }
        return driver.endCapture(stream);
    }

    /// Submits what is held back.
    private void flush() {
        if (followed.isPresent()) {
            Stretch s = followed.get();
            Optional<Stretch> whole = known.beginning(s, held);
            if (whole.isPresent()) {
                submit(whole.get());
            } else {
                recorded.addAll(s.first(held));
                submitOneByOne(s);
            }
        }
        endRecorded();
    }

    private void flush(Stream stream) {
        if (stream == current) {
            flush();
        }
    }

    /// What the graphs hold now.
    GraphUse use() {
        return shelf.use();
    }

    @Override public Device device() {
        return driver.device();
    }

    @Override public long freeBytes() {
        return driver.freeBytes();
    }

    @Override public long allocate(long bytes) {
        return driver.allocate(bytes);
    }

    /// What was recorded so far is forgotten: with another layout of memory it will hardly come again, and graphs take memory themselves.
    @Override public void free(long address) {
        flush();
        known.clear();
        driver.free(address);
    }

    @Override public MemorySegment allocatePinned(long bytes) {
        return driver.allocatePinned(bytes);
    }

    @Override public void freePinned(MemorySegment memory) {
        flush();
        driver.freePinned(memory);
    }

    @Override public void copyToDevice(MemorySegment source, long target, Stream stream) {
        flush(stream);
        driver.copyToDevice(source, target, stream);
    }

    @Override public void copyToHost(long source, MemorySegment target, Stream stream) {
        flush(stream);
        driver.copyToHost(source, target, stream);
    }

    @Override public void copyOnDevice(long source, long target, long bytes, Stream stream) {
        flush(stream);
        driver.copyOnDevice(source, target, bytes, stream);
    }

    @Override public void clear(long address, long bytes, Stream stream) {
        flush(stream);
        driver.clear(address, bytes, stream);
    }

    @Override public Module load(String name, String ptx) {
        return driver.load(name, ptx);
    }

    @Override public void allowSharedBytes(Kernel kernel, int bytes) {
        driver.allowSharedBytes(kernel, bytes);
    }

    @Override public long[] encode(TensorMap map) {
        return driver.encode(map);
    }

    @Override public Stream createStream() {
        return driver.createStream();
    }

    @Override public long handle(Stream stream) {
        flush(stream);
        return driver.handle(stream);
    }

    @Override public void synchronize(Stream stream) {
        flush(stream);
        driver.synchronize(stream);
    }

    @Override public Event createEvent() {
        return driver.createEvent();
    }

    @Override public void record(Event event, Stream stream) {
        flush(stream);
        driver.record(event, stream);
    }

    @Override public void synchronize(Event event) {
        driver.synchronize(event);
    }

    @Override public void await(Event event, Stream stream) {
        flush(stream);
        driver.await(event, stream);
    }

    @Override public float elapsedMillis(Event start, Event end) {
        return driver.elapsedMillis(start, end);
    }

    @Override public void beginCapture(Stream stream) {
        flush(stream);
        driver.beginCapture(stream);
        capturing = true;
    }

    @Override public Graph endCapture(Stream stream) {
        capturing = false;
        return driver.endCapture(stream);
    }

    @Override public void launch(Graph graph, Stream stream) {
        flush(stream);
        driver.launch(graph, stream);
    }

    @Override public void free(Graph graph) {
        driver.free(graph);
    }

    @Override public void close() {
        flush();
        known.clear();
        driver.close();
    }
}
