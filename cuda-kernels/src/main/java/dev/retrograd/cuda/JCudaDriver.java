package dev.retrograd.cuda;

import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuDeviceTotalMem;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuFuncSetAttribute;
import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadDataJIT;
import static jcuda.driver.JCudaDriver.cuModuleUnload;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;
import static jcuda.driver.JCudaDriver.setExceptionsEnabled;

import dev.retrograd.core.NoDeviceException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JITOptions;

/// The driver of an NVIDIA GPU, through JCuda. Holds the device's primary context until it is closed.
public final class JCudaDriver implements CudaDriver {
    private static final int LOG_BYTES = 16384;
    private static final int NAME_BYTES = 256;

    private final CUdevice handle = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final Device device;
    /// thread on which the context is current
    private Thread bound;
    private final DriverFunctions functions = new DriverFunctions(NativeLibrary.driver());
    private final List<CUstream> streams = new ArrayList<>();
    private final List<CUevent> events = new ArrayList<>();
    private final List<CUmodule> modules = new ArrayList<>();

    private final class LoadedModule implements Module {
        private final String name;
        private final CUmodule module;

        LoadedModule(String name, CUmodule module) {
            this.name = name;
            this.module = module;
        }

        @Override public Kernel kernel(String kernel) {
            NativePointers.Function function = new NativePointers.Function();
            run("module '" + name + "', kernel '" + kernel + "'", () -> cuModuleGetFunction(function, module, kernel));
            return new LoadedKernel(kernel, function);
        }
    }

    private record LoadedKernel(String name, NativePointers.Function handle) implements Kernel {
    }

    private record OpenStream(NativePointers.Stream handle) implements Stream {
    }

    private record OpenEvent(CUevent handle) implements Event {
    }

    private record ReadyGraph(CUgraphExec handle) implements Graph {
    }

    private JCudaDriver(Device device) {
        this.device = device;
        cuDeviceGet(handle, device.ordinal());
        cuDevicePrimaryCtxRetain(context, handle);
        bind();
    }

    /// All devices of this host.
    ///
    /// @return one or more, by their ordinals
    /// @throws NoDeviceException if there is no driver, one that is too old, or no device
    public static List<Device> devices() {
        NativeLibrary.driver();
        NativeLibrary.unpack();
        try {
            setExceptionsEnabled(true);
            int[] version = new int[1];
            cuDriverGetVersion(version);
            Requirements.driver(version[0]);
            cuInit(0);
            int[] count = new int[1];
            cuDeviceGetCount(count);
            if (count[0] == 0) {
                throw new NoDeviceException("cuda: the NVIDIA driver found no device");
            }
            return IntStream.range(0, count[0]).mapToObj(ordinal -> describe(ordinal, version[0])).toList();
        } catch (LinkageError e) {
            throw new NoDeviceException("cuda: JCuda's library could not be loaded (" + e.getMessage() + ")", e);
        } catch (jcuda.CudaException e) {
            throw new NoDeviceException("cuda: the NVIDIA driver found no device that it can use (" + e.getMessage() + ")", e);
        }
    }

    private static Device describe(int ordinal, int driverVersion) {
        CUdevice handle = new CUdevice();
        cuDeviceGet(handle, ordinal);
        byte[] name = new byte[NAME_BYTES];
        cuDeviceGetName(name, name.length, handle);
        long[] memory = new long[1];
        cuDeviceTotalMem(memory, handle);
        return new Device(ordinal, new String(name, StandardCharsets.UTF_8).replace("\0", "").trim(), driverVersion,
                10 * attribute(handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) + attribute(handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                memory[0], attribute(handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
                attribute(handle, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
    }

    private static int attribute(CUdevice device, int which) {
        int[] value = new int[1];
        cuDeviceGetAttribute(value, which, device);
        return value[0];
    }

    /// Opens a device.
    ///
    /// @param ordinal which device, from 0
    /// @throws NoDeviceException if there is none that can be used
    public static JCudaDriver open(int ordinal) {
        List<Device> devices = devices();
        Requirements.present("cuda", ordinal, devices.size());
        try {
            return new JCudaDriver(devices.get(ordinal));
        } catch (jcuda.CudaException e) {
            throw new NoDeviceException("cuda: " + devices.get(ordinal).name() + " could not be opened (" + e.getMessage() + ")", e);
        }
    }

    /// Calls the driver with the context current on this thread, whichever that is.
    private void run(String what, Runnable action) {
        try {
            bind();
            action.run();
        } catch (jcuda.CudaException e) {
            throw new CudaException("cuda: " + what + ": " + e.getMessage(), e);
        }
    }

    private void bind() {
        if (bound != Thread.currentThread()) {
            cuCtxSetCurrent(context);
            bound = Thread.currentThread();
        }
    }

    private static NativePointers.Stream handleOf(Stream stream) {
        return ((OpenStream) stream).handle;
    }

    @Override public Device device() {
        return device;
    }

    @Override public long freeBytes() {
        long[] free = new long[1];
        run("free memory", () -> cuMemGetInfo(free, new long[1]));
        return free[0];
    }

    @Override public long allocate(long bytes) {
        NativePointers.Device pointer = new NativePointers.Device();
        run("allocation of " + bytes + " bytes", () -> cuMemAlloc(pointer, bytes));
        return pointer.address();
    }

    @Override public void free(long address) {
        run("free", () -> cuMemFree(NativePointers.device(address)));
    }

    @Override public MemorySegment allocatePinned(long bytes) {
        NativePointers.Host pointer = new NativePointers.Host();
        run("allocation of " + bytes + " bytes of pinned host memory", () -> cuMemHostAlloc(pointer, bytes, 0));
        return MemorySegment.ofAddress(pointer.address()).reinterpret(bytes);
    }

    @Override public void freePinned(MemorySegment memory) {
        run("free of pinned host memory", () -> cuMemFreeHost(new NativePointers.Host(memory.address())));
    }

    @Override public void copyToDevice(MemorySegment source, long target, Stream stream) {
        requireNative(source);
        run("copy to the device", () -> cuMemcpyHtoDAsync(NativePointers.device(target), new NativePointers.Host(source.address()), source.byteSize(), handleOf(stream)));
    }

    @Override public void copyToHost(long source, MemorySegment target, Stream stream) {
        requireNative(target);
        run("copy to the host", () -> cuMemcpyDtoHAsync(new NativePointers.Host(target.address()), NativePointers.device(source), target.byteSize(), handleOf(stream)));
    }

    private static void requireNative(MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException("cuda: copies take native memory, got " + segment);
        }
    }

    @Override public void copyOnDevice(long source, long target, long bytes, Stream stream) {
        run("copy on the device", () -> cuMemcpyDtoDAsync(NativePointers.device(target), NativePointers.device(source), bytes, handleOf(stream)));
    }

    @Override public void clear(long address, long bytes, Stream stream) {
        run("clear", () -> cuMemsetD8Async(NativePointers.device(address), (byte) 0, bytes, handleOf(stream)));
    }

    @Override public Module load(String name, String ptx) {
        CUmodule module = new CUmodule();
        JITOptions options = new JITOptions();
        options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
        options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
        byte[] text = (ptx + "\0").getBytes(StandardCharsets.UTF_8);
        try {
            bind();
            cuModuleLoadDataJIT(module, Pointer.to(text), options);
        } catch (jcuda.CudaException e) {
            throw new CudaException("cuda: module '" + name + "' was refused: " + e.getMessage() + "; " + options.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER).trim(), e);
        }
        modules.add(module);
        return new LoadedModule(name, module);
    }

    @Override public void allowSharedBytes(Kernel kernel, int bytes) {
        run(kernel.name() + ", " + bytes + " bytes of shared memory",
                () -> cuFuncSetAttribute(((LoadedKernel) kernel).handle, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes));
    }

    @Override public long[] encode(TensorMap map) {
        Requirements.tensorMaps(device);
        bind();
        return functions.encode(map);
    }

    @Override public void launch(Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, Stream stream) {
        NativePointers.Function function = ((LoadedKernel) kernel).handle;
        if (grid.cluster() > 1) {
            run("launch of " + kernel.name(), () -> functions.launch(kernel.name(), function.address(), grid, sharedBytes, arguments, handleOf(stream).address()));
            return;
        }
        run("launch of " + kernel.name(), () -> cuLaunchKernel(function, grid.x(), grid.y(), grid.z(), grid.threadsX(), grid.threadsY(), grid.threadsZ(),
                sharedBytes, handleOf(stream), new NativePointers.Host(arguments.addresses().address()), null));
    }

    @Override public Stream createStream() {
        NativePointers.Stream stream = new NativePointers.Stream();
        run("stream", () -> cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
        streams.add(stream);
        return new OpenStream(stream);
    }

    @Override public long handle(Stream stream) {
        run("stream", () -> { });   // the context is current for whoever uses the handle
        return handleOf(stream).address();
    }

    @Override public void synchronize(Stream stream) {
        run("synchronize", () -> cuStreamSynchronize(handleOf(stream)));
    }

    @Override public Event createEvent() {
        CUevent event = new CUevent();
        run("event", () -> cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT));
        events.add(event);
        return new OpenEvent(event);
    }

    @Override public void record(Event event, Stream stream) {
        run("event", () -> cuEventRecord(((OpenEvent) event).handle, handleOf(stream)));
    }

    @Override public void synchronize(Event event) {
        run("event", () -> cuEventSynchronize(((OpenEvent) event).handle));
    }

    @Override public void await(Event event, Stream stream) {
        run("event", () -> cuStreamWaitEvent(handleOf(stream), ((OpenEvent) event).handle, 0));
    }

    @Override public float elapsedMillis(Event start, Event end) {
        float[] millis = new float[1];
        run("event", () -> {
            cuEventSynchronize(((OpenEvent) end).handle);
            cuEventElapsedTime(millis, ((OpenEvent) start).handle, ((OpenEvent) end).handle);
        });
        return millis[0];
    }

    /// Relaxed: what another thread does meanwhile spoils nothing.
    @Override public void beginCapture(Stream stream) {
        run("capture", () -> cuStreamBeginCapture(handleOf(stream), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED));
    }

    @Override public Graph endCapture(Stream stream) {
        CUgraph recorded = new CUgraph();
        CUgraphExec graph = new CUgraphExec();
        run("capture", () -> cuStreamEndCapture(handleOf(stream), recorded));
        try {
            run("graph", () -> cuGraphInstantiate(graph, recorded, 0));
        } finally {
            run("graph", () -> cuGraphDestroy(recorded));
        }
        return new ReadyGraph(graph);
    }

    @Override public void launch(Graph graph, Stream stream) {
        run("graph", () -> cuGraphLaunch(((ReadyGraph) graph).handle, handleOf(stream)));
    }

    @Override public void free(Graph graph) {
        run("graph", () -> cuGraphExecDestroy(((ReadyGraph) graph).handle));
    }

    @Override public void close() {
        run("close", () -> {
            events.forEach(jcuda.driver.JCudaDriver::cuEventDestroy);
            streams.forEach(jcuda.driver.JCudaDriver::cuStreamDestroy);
            modules.forEach(m -> cuModuleUnload(m));
            cuDevicePrimaryCtxRelease(handle);
        });
    }
}
