package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.CudaDriver;
import dev.retrograd.cuda.CudaException;
import dev.retrograd.cuda.LaunchArguments;
import dev.retrograd.cuda.LaunchGrid;
import dev.retrograd.cuda.Requirements;
import dev.retrograd.cuda.TensorMap;
import dev.retrograd.cuda.emulator.PtxModule.Variable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/// A CUDA device in Java: executes PTX text and checks what it does, with no GPU.
///
/// A functional simulator, not one of time: everything asked of a stream happens at once, on all cores, unless it is captured, or the driver is {@linkplain #lazy()
/// lazy} or {@linkplain #shuffled shuffled}. The fault that is reported is that of the lowest block. Faults of kernels are {@link KernelFault}s;
/// downloading bytes that nothing wrote is one, too.
public final class EmulatedDriver implements CudaDriver {
    /// What the first stream is called; the others follow.
    public static final long FIRST_STREAM = 0x57;

    /// What this device takes for each piece of work in a graph.
    public static final long BYTES_PER_GRAPH_NODE = 1 << 10;

    private static final int DRIVER_VERSION = 12060;
    /// Of compute capability 8.6, the least of all that the baseline is for.
    private static final int SHARED_BYTES = 99 * 1024;
    private static final int SHARED_BYTES_OF_HOPPER = 227 * 1024;
    private static final int BASELINE = 80;
    private static final int HOPPER = 90;
    private static final int SHARED_BYTES_UNASKED = 48 * 1024;
    private static final int BLOCKS_WORTH_A_THREAD = 4;
    /// Steps of shuffled streams after each submission, in the mean and one more.
    private static final int MOST_STEPS = 4;

    private final long memoryBytes;
    private final int computeCapability;
    private final int multiprocessors;
    private final int mostShared;
    private final int workers = Runtime.getRuntime().availableProcessors();
    private final DeviceMemory memory = new DeviceMemory();
    private final Map<Long, Arena> pinned = new HashMap<>();
    private long instructions;
    private long launches;
    private long submissions;
    private int graphs;
    private long graphBytes;
    private final List<EmulatedStream> streams = new ArrayList<>();
    private boolean late;
    private Optional<RandomGenerator> order = Optional.empty();
    private final Set<String> launched = new TreeSet<>();

    /// @param memoryBytes of the emulated device
    public EmulatedDriver(long memoryBytes) {
        this(memoryBytes, BASELINE);
    }

    /// @param computeCapability that it calls its own
    public EmulatedDriver(long memoryBytes, int computeCapability) {
        this(memoryBytes, computeCapability, 1);
    }

    /// @param multiprocessors that it says it has
    private EmulatedDriver(long memoryBytes, int computeCapability, int multiprocessors) {
        this.memoryBytes = memoryBytes;
        this.computeCapability = computeCapability;
        this.multiprocessors = multiprocessors;
        mostShared = computeCapability == HOPPER ? SHARED_BYTES_OF_HOPPER : SHARED_BYTES;
    }

    /// A device of compute capability 9.0.
    public static EmulatedDriver hopper(long memoryBytes) {
        return hopper(memoryBytes, 1);
    }

    /// The same, of so many multiprocessors.
    public static EmulatedDriver hopper(long memoryBytes, int multiprocessors) {
        return new EmulatedDriver(memoryBytes, HOPPER, multiprocessors);
    }

    /// Makes the streams to come do their work no sooner than somebody waits for it, so that an event or a wait that is missing shows. Faults are reported to
    /// whoever waits.
    public EmulatedDriver lazy() {
        late = true;
        return this;
    }

    /// Makes the streams to come do their work sooner or later, in any order that events allow.
    public EmulatedDriver shuffled(long seed) {
        order = Optional.of(new Random(seed));
        return lazy();
    }

    /// Pieces of work, launches and copies and waits for events, that a stream was asked for and did not do yet.
    public int pending(Stream stream) {
        return ((EmulatedStream) stream).pending();
    }

    private void finish() {
        streams.forEach(EmulatedStream::drain);
    }

    private record EmulatedModule(String name, PtxModule ptx, Map<String, Long> globals, Map<String, EmulatedKernel> kernels) implements Module {
        @Override public Kernel kernel(String kernel) {
            PtxModule.Kernel found = ptx.kernels().get(kernel);
            if (found == null) {
                throw new CudaException("cuda: module '" + name + "' must have the kernel '" + kernel + "', got " + ptx.kernels().keySet());
            }
            List<Variable> shared = ptx.variables().stream().filter(v -> v.space().equals("shared")).toList();
            return kernels.computeIfAbsent(kernel, _ -> new EmulatedKernel(Decoder.decode(found, globals, shared)));
        }
    }

    private static final class EmulatedKernel implements Kernel {
        final Program program;
        int sharedBytes = SHARED_BYTES_UNASKED;

        EmulatedKernel(Program program) {
            this.program = program;
        }

        @Override public String name() {
            return program.name;
        }
    }

    private static final class EmulatedGraph implements Graph {
        private final List<Runnable> work;
        private boolean freed;

        EmulatedGraph(List<Runnable> work) {
            this.work = work;
        }

        void requireAlive(String what) {
            if (freed) {
                throw new CudaException("cuda: " + what + ": the graph was freed");
            }
        }
    }

    private void submit(Stream stream, Runnable work) {
        if (((EmulatedStream) stream).submit(work)) {
            submissions++;
        }
        order.ifPresent(random -> {
            while (random.nextInt(MOST_STEPS) > 0) {
                streams.get(random.nextInt(streams.size())).step();
            }
        });
    }

    @Override public Device device() {
        return new Device(0, "PTX emulator", DRIVER_VERSION, computeCapability, memoryBytes, multiprocessors, mostShared);
    }

    @Override public long freeBytes() {
        return memoryBytes - memory.used() - graphBytes;
    }

    @Override public long allocate(long bytes) {
        if (bytes < 1 || bytes > freeBytes()) {
            throw new CudaException("cuda: out of memory: " + bytes + " bytes asked for, " + freeBytes() + " of " + memoryBytes + " free");
        }
        return memory.allocate("global memory", Math.toIntExact(bytes)).base;
    }

    /// Waits for all streams, as a real one does.
    @Override public void free(long address) {
        finish();
        memory.free(address);
    }

    /// Reads of what lay there are faults again.
    @Override public void forget(long address, long bytes, Stream stream) {
        ((EmulatedStream) stream).submit(() -> {
            Region region = region("forget", address, bytes);
            int at = (int) (address - region.base);
            Arrays.fill(region.written, at, at + (int) bytes, (byte) 0);
        });
    }

    @Override public MemorySegment allocatePinned(long bytes) {
        Arena arena = Arena.ofShared();
        MemorySegment segment = arena.allocate(bytes, Long.BYTES);
        pinned.put(segment.address(), arena);
        return segment;
    }

    @Override public void freePinned(MemorySegment segment) {
        finish();
        Arena arena = pinned.remove(segment.address());
        if (arena == null) {
            throw new IllegalStateException("emulator: freePinned takes what allocatePinned gave, got " + segment);
        }
        arena.close();
    }

    private Region region(String what, long address, long bytes) {
        Region region = memory.find(address, bytes);
        if (region == null) {
            throw new KernelFault(what + ": out of bounds: " + bytes + " bytes at 0x" + Long.toHexString(address) + " of global memory, " + memory.near(address));
        }
        return region;
    }

    @Override public void copyToDevice(MemorySegment source, long target, Stream stream) {
        submit(stream, () -> {
            Region region = region("copyToDevice", target, source.byteSize());
            int at = (int) (target - region.base);
            MemorySegment.copy(source, ValueLayout.JAVA_BYTE, 0, region.data, at, (int) source.byteSize());
            Arrays.fill(region.written, at, at + (int) source.byteSize(), (byte) 1);
        });
    }

    @Override public void copyToHost(long source, MemorySegment target, Stream stream) {
        submit(stream, () -> {
            Region region = region("copyToHost", source, target.byteSize());
            int at = (int) (source - region.base);
            requireWritten("copyToHost", region, at, (int) target.byteSize());
            MemorySegment.copy(region.data, at, target, ValueLayout.JAVA_BYTE, 0, (int) target.byteSize());
        });
    }

    private static void requireWritten(String what, Region region, int at, int bytes) {
        for (int i = at; i < at + bytes; i++) {
            if (region.written[i] == 0) {
                throw new KernelFault(what + ": nothing wrote byte " + (i - at) + " of the " + bytes);
            }
        }
    }

    @Override public void copyOnDevice(long source, long target, long bytes, Stream stream) {
        submit(stream, () -> {
            Region from = region("copyOnDevice", source, bytes);
            Region to = region("copyOnDevice", target, bytes);
            System.arraycopy(from.data, (int) (source - from.base), to.data, (int) (target - to.base), (int) bytes);
            System.arraycopy(from.written, (int) (source - from.base), to.written, (int) (target - to.base), (int) bytes);
        });
    }

    @Override public void clear(long address, long bytes, Stream stream) {
        submit(stream, () -> {
            Region region = region("clear", address, bytes);
            int at = (int) (address - region.base);
            Arrays.fill(region.data, at, at + (int) bytes, (byte) 0);
            Arrays.fill(region.written, at, at + (int) bytes, (byte) 1);
        });
    }

    @Override public Module load(String name, String text) {
        PtxModule ptx = PtxParser.parse(text);
        if (ptx.target().endsWith("a") && !ptx.target().equals("sm_" + computeCapability + "a")) {
            throw new CudaException("cuda: module '" + name + "' was refused: it is for " + ptx.target() + " only, the device is sm_" + computeCapability);
        }
        Map<String, Long> globals = new HashMap<>();
        for (Variable v : ptx.variables()) {
            if (!v.space().equals("shared")) {
                Region region = memory.allocate(v.space() + " variable " + v.name(), v.bytes());
                System.arraycopy(v.initial(), 0, region.data, 0, v.bytes());
                Arrays.fill(region.written, (byte) 1);
                globals.put(v.name(), region.base);
            }
        }
        return new EmulatedModule(name, ptx, globals, new HashMap<>());
    }

    @Override public void allowSharedBytes(Kernel kernel, int bytes) {
        int all = bytes + ((EmulatedKernel) kernel).program.sharedBytes;
        if (all > mostShared) {
            throw new CudaException("cuda: " + kernel.name() + ": shared memory must be at most " + mostShared + " bytes, got " + all);
        }
        ((EmulatedKernel) kernel).sharedBytes = Math.max(SHARED_BYTES_UNASKED, all);
    }

    @Override public long[] encode(TensorMap map) {
        Requirements.tensorMaps(device());
        return EncodedMap.of(map);
    }

    @Override public void launch(Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, Stream stream) {
        if (grid.cluster() > 1) {
            Requirements.tensorMaps(device());
        }
        EmulatedKernel emulated = (EmulatedKernel) kernel;
        Program program = emulated.program;
        byte[] values = arguments.values().toArray(ValueLayout.JAVA_BYTE);
        if (values.length != program.parameterBytes) {
            throw new KernelFault(program.name + ": the kernel takes " + program.parameterBytes + " bytes of arguments, got " + values.length);
        }
        if (program.sharedBytes + sharedBytes > emulated.sharedBytes) {
            throw new CudaException("cuda: " + program.name + ": shared memory must be at most " + emulated.sharedBytes + " bytes, got " + (program.sharedBytes + sharedBytes));
        }
        submit(stream, () -> execute(program, grid, sharedBytes, values));
    }

    private void execute(Program program, LaunchGrid grid, int sharedBytes, byte[] values) {
        long blocks = (long) grid.x() * grid.y() * grid.z();
        int parts = (int) Math.min(workers, Math.max(1, blocks / BLOCKS_WORTH_A_THREAD));
        long[] executed = new long[parts];
        KernelFault[] faults = new KernelFault[parts];
        IntStream.range(0, parts).parallel().forEach(part -> {
            Block block = new Block(program, grid, sharedBytes, values, memory);
            try {
                for (long i = blocks * part / parts; i < blocks * (part + 1) / parts; i++) {
                    block.run((int) (i % grid.x()), (int) (i / grid.x() % grid.y()), (int) (i / grid.x() / grid.y()));
                }
            } catch (KernelFault e) {
                faults[part] = e;
            }
            executed[part] = block.executed();
        });
        for (KernelFault fault : faults) {
            if (fault != null) {
                throw fault;
            }
        }
        launches++;
        launched.add(program.name);
        instructions += Arrays.stream(executed).sum();
    }

    @Override public Stream createStream() {
        EmulatedStream stream = new EmulatedStream(FIRST_STREAM + streams.size(), late);
        streams.add(stream);
        return stream;
    }

    /// What another library is asked for happens at once: all before it must have.
    @Override public long handle(Stream stream) {
        ((EmulatedStream) stream).drain();
        return ((EmulatedStream) stream).handle();
    }

    @Override public void synchronize(Stream stream) {
        ((EmulatedStream) stream).requireNotCaptured();
        ((EmulatedStream) stream).drain();
    }

    @Override public void synchronize(Event event) {
        ((EmulatedStream.Recorded) event).synchronize();
    }

    @Override public void beginCapture(Stream stream) {
        ((EmulatedStream) stream).beginCapture();
    }

    @Override public Graph endCapture(Stream stream) {
        EmulatedGraph graph = new EmulatedGraph(((EmulatedStream) stream).endCapture());
        graphs++;
        graphBytes += graph.work.size() * BYTES_PER_GRAPH_NODE;
        return graph;
    }

    @Override public void launch(Graph graph, Stream stream) {
        EmulatedGraph emulated = (EmulatedGraph) graph;
        emulated.requireAlive("launch");
        submit(stream, () -> emulated.work.forEach(Runnable::run));
    }

    @Override public void free(Graph graph) {
        EmulatedGraph emulated = (EmulatedGraph) graph;
        emulated.requireAlive("free");
        emulated.freed = true;
        graphs--;
        graphBytes -= emulated.work.size() * BYTES_PER_GRAPH_NODE;
    }

    @Override public Event createEvent() {
        return new EmulatedStream.Recorded();
    }

    @Override public void record(Event event, Stream stream) {
        ((EmulatedStream) stream).requireNotCaptured();
        ((EmulatedStream.Recorded) event).record((EmulatedStream) stream);
    }

    @Override public void await(Event event, Stream stream) {
        ((EmulatedStream) stream).requireNotCaptured();
        ((EmulatedStream.Recorded) event).await((EmulatedStream) stream);
    }

    @Override public float elapsedMillis(Event start, Event end) {
        return (((EmulatedStream.Recorded) end).nanos() - ((EmulatedStream.Recorded) start).nanos()) / 1e6f;
    }

    /// Warp instructions executed so far; each stands for up to 32 thread instructions.
    public long instructions() {
        return instructions;
    }

    /// Kernels that ran.
    public long launches() {
        return launches;
    }

    /// Times that streams were given work: launches, graphs, copies.
    public long submissions() {
        return submissions;
    }

    /// Names of all kernels that were launched.
    public Set<String> launched() {
        return Set.copyOf(launched);
    }

    /// Names of a module's kernels.
    public static Set<String> kernels(String ptx) {
        return PtxParser.parse(ptx).kernels().keySet();
    }

    /// Allocations and graphs that were not freed, variables of modules included.
    public int allocations() {
        return memory.allocations() + graphs;
    }

    @Override public void close() {
        pinned.values().forEach(Arena::close);
        pinned.clear();
    }
}
