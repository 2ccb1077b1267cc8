package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import dev.retrograd.cuda.emulator.KernelFault;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Copies beside kernels, on streams that do their work as late as they may, or in any order that events allow.
class TransfersTest {
    private static final long DEVICE_BYTES = 64L << 20;
    /// Bytes that the ring of slots holds.
    private static final int RING = Math.toIntExact(Transfers.workspaceBytes());

    private static CudaBackend open(EmulatedDriver driver, boolean graphs) {
        BackendOptions options = BackendOptions.of(_ -> { }).with(Optional.of(Precision.F32));
        return graphs ? CudaBackend.open(driver, options) : new CudaBackend(driver, Precision.F32);
    }

    private static int[] values(int count, long seed) {
        return new Random(seed).ints(count).toArray();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatIsSentComesBackWhateverItsSize(boolean graphs) {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES).lazy();
        try (CudaBackend backend = open(driver, graphs)) {
            for (int count : new int[] {1, RING / 32, RING / 32 + 1, RING / 4, RING / 4 + 3, RING}) {
                int[] sent = values(count, count);
                try (Scope _ = backend.memory().open("both")) {
                    int[] got = new int[count];
                    backend.download(backend.ints("sent", Shape.of(count), sent), MemorySegment.ofArray(got));
                    assertArrayEquals(sent, got, count + " numbers");
                }
            }
            assertEquals(0, backend.memory().liveBytes());
        }
        assertEquals(0, driver.allocations());
    }

    /// The driver of a backend, whose streams are known.
    private record Watched(EmulatedDriver driver, CudaDriver shown, List<CudaDriver.Stream> streams) {
        /// @param leftOut calls that it swallows, such as `await copying`
        static Watched of(EmulatedDriver driver, Predicate<String> leftOut) {
            List<CudaDriver.Stream> streams = new ArrayList<>();
            CudaDriver shown = (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
                Stream<Object> all = arguments == null ? Stream.of() : Arrays.stream(arguments);
                List<CudaDriver.Stream> on = all.filter(CudaDriver.Stream.class::isInstance).map(CudaDriver.Stream.class::cast).toList();
                String call = on.isEmpty() ? method.getName() : method.getName() + (streams.indexOf(on.getFirst()) == 0 ? " computing" : " copying");
                if (leftOut.test(call)) {
                    return null;
                }
                try {
                    Object result = method.invoke(driver, arguments);
                    if (result instanceof CudaDriver.Stream s) {
                        streams.add(s);
                    }
                    return result;
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });
            return new Watched(driver, shown, streams);
        }

        int pending(int stream) {
            return driver.pending(streams.get(stream));
        }
    }

    @Test void kernelsAndCopiesDoNotWaitForEachOther() {
        Watched watched = Watched.of(new EmulatedDriver(DEVICE_BYTES).lazy(), _ -> false);
        try (CudaBackend backend = new CudaBackend(watched.shown(), Precision.F32)) {
            Tensor x = backend.floats("x", Shape.of(4), 1, 2, 3, 4);
            backend.synchronize();
            backend.linearCombination(1, new double[] {2}, new Tensor[] {x}, x);
            Supplier<float[]> before = backend.startToFloats(x);
            backend.linearCombination(0, new double[] {100}, new Tensor[] {x}, x);
            Tensor next = backend.floats("next", Shape.of(2), 7, 8);
            int kernels = watched.pending(0);
            watched.driver().synchronize(watched.streams().get(1));
            assertTrue(watched.pending(0) > 0 && watched.pending(0) < kernels, "the bus waits for what comes before a download, and for no kernel after that");
            assertArrayEquals(new float[] {3, 5, 7, 9}, before.get());
            assertTrue(watched.pending(0) > 0, "whoever waits for a download does not wait for what was asked later");
            assertArrayEquals(new float[] {7, 8}, backend.toFloats(next));
            assertArrayEquals(new float[] {300, 500, 700, 900}, backend.toFloats(x));
        }
    }

    @Test void anUploadIsOnTheBusWhileEarlierKernelsWait() {
        Watched watched = Watched.of(new EmulatedDriver(DEVICE_BYTES).lazy(), _ -> false);
        try (CudaBackend backend = new CudaBackend(watched.shown(), Precision.F32)) {
            Tensor x = backend.floats("x", Shape.of(4), 1, 2, 3, 4);
            backend.synchronize();
            backend.linearCombination(1, new double[] {2}, new Tensor[] {x}, x);
            int kernels = watched.pending(0);
            backend.upload(MemorySegment.ofArray(new float[] {5, 6, 7, 8}), x);
            assertTrue(watched.pending(1) > 0, "not copied yet");
            watched.driver().synchronize(watched.streams().get(1));
            assertEquals(0, watched.pending(1), "copied");
            assertTrue(watched.pending(0) > kernels, "and no kernel ran for it");
            assertArrayEquals(new float[] {5, 6, 7, 8}, backend.toFloats(x));
        }
    }

    @Test void memoryServesAnotherTensorWhileADownloadIsUnderWay() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES).lazy();
        try (CudaBackend backend = open(driver, false)) {
            List<Supplier<float[]>> started = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                try (Scope _ = backend.memory().open("round")) {
                    Tensor x = backend.empty("x", new Spec(Shape.of(100), i % 2 == 0 ? DType.F32 : DType.BF16));
                    backend.fill(x, i);
                    started.add(backend.startToFloats(x));
                }
            }
            assertEquals(0, backend.memory().liveBytes());
            assertTrue(backend.reservedBytes() < 2000, "all lay at the same places, got " + backend.reservedBytes());
            for (int i = 39; i >= 0; i--) {
                float[] expected = new float[100];
                Arrays.fill(expected, i);
                assertArrayEquals(expected, started.get(i).get(), "download " + i);
            }
        }
    }

    /// What one may forget, and must not.
    private enum Bug {
        THE_BUS_DOES_NOT_WAIT_FOR_A_SLOT_OR_KERNEL("await copying"),
        KERNELS_DO_NOT_WAIT_FOR_THE_BUS("await computing"),
        THE_BUS_IS_NEVER_MARKED("record copying"),
        KERNELS_ARE_NEVER_MARKED("record computing"),
        THE_HOST_DOES_NOT_WAIT("synchronize");

        private final String call;

        Bug(String call) {
            this.call = call;
        }
    }

    /// Uploads, kernels and downloads through more pieces than there are slots.
    private static boolean goesWell(CudaBackend backend) {
        boolean well = true;
        try {
            for (int round = 0; round < 3; round++) {
                int count = RING / 4 + 5 + round;
                float[] sent = new float[count];
                for (int i = 0; i < count; i++) {
                    sent[i] = i % 1000;
                }
                try (Scope _ = backend.memory().open("round")) {
                    Tensor x = backend.floats("x", Shape.of(count), sent);
                    backend.linearCombination(1, new double[] {3}, new Tensor[] {x}, x);
                    float[] got = backend.toFloats(x);
                    for (int i = 0; i < count && well; i++) {
                        well = got[i] == 3 * (i % 1000) + 1;
                    }
                }
            }
        } catch (KernelFault _) {
            well = false;
        }
        return well;
    }

    /// Orders in which streams may work.
    private static List<EmulatedDriver> late() {
        return List.of(new EmulatedDriver(DEVICE_BYTES).lazy(), new EmulatedDriver(DEVICE_BYTES).shuffled(1), new EmulatedDriver(DEVICE_BYTES).shuffled(2));
    }

    @Test void everyOrderThatEventsAllowIsRight() {
        for (EmulatedDriver driver : late()) {
            try (CudaBackend backend = new CudaBackend(driver, Precision.F32)) {
                assertTrue(goesWell(backend));
            }
            assertEquals(0, driver.allocations());
        }
    }

    @ParameterizedTest
    @EnumSource
    void aForgottenEventIsFound(Bug bug) {
        long found = late().stream().filter(driver -> !goesWell(new CudaBackend(Watched.of(driver, bug.call::equals).shown(), Precision.F32))).count();
        assertTrue(found > 0, bug + " must not go unnoticed");
    }

    @Test void streamsThatWorkAtOnceForgiveThem() {
        EmulatedDriver eager = new EmulatedDriver(DEVICE_BYTES);
        CudaDriver forgetful = (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class},
                (_, method, arguments) -> method.getName().equals("await") ? null : method.invoke(eager, arguments));
        try (CudaBackend backend = new CudaBackend(forgetful, Precision.F32)) {
            assertTrue(goesWell(backend), "which is why the others here are late");
        }
    }
}
