package dev.retrograd.cuda;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Memory;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;

/// The kernel families as one backend on an emulated device, for the contract's cases of each family.
public final class KernelFamilies implements InvocationHandler {
    private static final long DEVICE_BYTES = 256L << 20;

    private final EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
    private final DevicePool pool = new DevicePool("cuda:0", driver);
    private final Transfers transfers;
    private final ReductionKernels reductions;
    private final List<Object> families;

    private KernelFamilies() {
        CudaDriver.Stream stream = driver.createStream();
        transfers = new Transfers(driver, stream);
        Launcher launcher = new Launcher(driver, stream);
        reductions = new ReductionKernels(launcher, driver);
        families = List.of(this, transfers, new ElementwiseKernels(launcher), reductions, new ShapeKernels(launcher), new NormKernels(launcher),
                new OptimizerKernels(launcher), new MatrixKernels(launcher), new ConvolutionKernels(launcher), new AttentionKernels(launcher), new ImageKernels(launcher));
    }

    public static Backend open() {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, new KernelFamilies());
    }

    String name() {
        return "cuda:0";
    }

    Memory memory() {
        return pool.memory();
    }

    long workspaceBytes() {
        return reductions.workspaceBytes();
    }

    void close() {
        reductions.close();
        transfers.close();
        pool.close();
    }

    void upload(MemorySegment source, Tensor target) {
        transfers.upload(source, target);
    }

    void download(Tensor source, MemorySegment target) {
        transfers.download(source, target);
    }

    @Override public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        for (Object family : families) {
            for (Method m : family.getClass().getDeclaredMethods()) {
                if (m.getName().equals(method.getName()) && Arrays.equals(m.getParameterTypes(), method.getParameterTypes())) {
                    try {
                        return m.invoke(family, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }
            }
        }
        if (method.isDefault()) {
            return InvocationHandler.invokeDefault(proxy, method, arguments);
        }
        throw new AssertionError("no family has " + method);
    }
}
