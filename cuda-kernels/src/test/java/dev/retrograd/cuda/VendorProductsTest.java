package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendContract;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.contract.ContractCase;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// Products through the functions of cuBLAS, which a stand-in computes: the arguments say what our kernels would do.
class VendorProductsTest {
    private static final long DEVICE_BYTES = 256L << 20;
    private static final Map<Precision, Opened> OPENED = new EnumMap<>(Precision.class);

    private record Opened(EmulatedDriver driver, FakeCublas library, CudaBackend backend) {
        static Opened of(BackendOptions options) {
            EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
            FakeCublas library = new FakeCublas(driver);
            return new Opened(driver, library, CudaBackend.open(driver, options, Optional.of(library.symbols())));
        }

        void close() {
            backend.close();
            library.close();
            assertEquals(0, driver.allocations(), "allocations that the backend left behind");
        }
    }

    private static BackendOptions options(Precision p, Products products) {
        return BackendOptions.of(Assertions::fail).with(Optional.of(p)).with(products);
    }

    @AfterAll static void end() {
        OPENED.values().forEach(Opened::close);
        for (Opened o : OPENED.values()) {
            assertTrue(o.library.calls.stream().anyMatch(c -> c.startsWith("gemmEx")) && o.library.calls.stream().anyMatch(c -> c.startsWith("gemmStridedBatchedEx")), "both functions are used");
            assertEquals("destroy", o.library.calls.getLast());
        }
        OPENED.clear();
    }

    /// Of float16, whose code alone is different, the small ones.
    @TestFactory Stream<DynamicTest> allProductsOfTheContract() {
        return Stream.of(Precision.F32, Precision.BF16, Precision.FP16).flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream()
                .filter(c -> c.toString().toLowerCase(Locale.ROOT).contains("matmul") && (p != Precision.FP16 || c.toString().endsWith(" 7") || c.toString().contains("batched"))).toList(), (c, seed) -> c.run(OPENED.computeIfAbsent(p, q -> Opened.of(options(q, Products.CUBLAS))).backend, seed)));
    }

    @Test void theLibraryIsSetUpOnceWithTheStreamItsWorkspaceAndExactSums() {
        for (Precision p : List.of(Precision.F32, Precision.TF32)) {
            Opened opened = Opened.of(options(p, Products.CUBLAS));
            CudaBackend b = opened.backend;
            Tensor x = b.floats("x", Shape.of(2, 2), 1, 2, 3, 4);
            Tensor y = b.zeros("y", x.spec());
            b.matmul(x, false, x, true, y);
            assertArrayEquals(new float[] {5, 11, 11, 25}, b.toFloats(y));
            long handle = EmulatedDriver.FIRST_STREAM;
            assertEquals(List.of("create", "setStream " + (handle + 1), "setMathMode 16", "setWorkspace 33554432", "gemmEx " + (p == Precision.TF32 ? 77 : 68)), opened.library.calls);
            opened.close();
        }
    }

    @Test void whatHasAnEpilogueOrTwoTypesIsOurs() {
        Opened opened = Opened.of(options(Precision.F32, Products.CUBLAS));
        CudaBackend b = opened.backend;
        Tensor x = b.floats("x", Shape.of(2, 2), 1, 2, 3, 4);
        Tensor bias = b.floats("bias", Shape.of(2), 1, 1);
        Tensor y = b.zeros("y", x.spec());
        b.linear(x, x, bias, y);
        assertArrayEquals(new float[] {6, 12, 12, 26}, b.toFloats(y));
        assertTrue(opened.library.calls.stream().noneMatch(c -> c.startsWith("gemm")), opened.library.calls.toString());
        opened.close();
    }

    /// The driver, with a clock that says what is scripted.
    private static CudaDriver clocked(EmulatedDriver driver, List<Float> millis) {
        return (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
            if (method.getName().equals("elapsedMillis")) {
                return millis.removeFirst();
            }
            try {
                return method.invoke(driver, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    private static List<Float> times(float ours, float theirs) {
        List<Float> all = new ArrayList<>();
        for (float f : new float[] {ours, theirs}) {
            all.addAll(List.of(f + 1, f + 1, f, f + 1, f + 1));
        }
        return all;
    }

    @Test void underAutoTheFasterOneOfAShapeIsTakenAndARunGoesOnWithIt(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        Path cache = folder.resolve("cache");
        RandomValues random = new RandomValues(3);
        float[] sums = null;
        for (int round = 0; round < 3; round++) {
            EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
            FakeCublas library = new FakeCublas(driver);
            List<Float> clock = new ArrayList<>();
            if (round == 0) {
                clock.addAll(times(2, 1));   // the library is faster
                clock.addAll(times(1, 2));
            }
            if (round == 2) {
                Files.delete(run);   // a new run takes what the cache has
            }
            BackendOptions options = options(Precision.F32, Products.AUTO).keeping(Optional.of(run), Optional.of(cache));
            try (CudaBackend b = CudaBackend.open(clocked(driver, clock), options, Optional.of(library.symbols()))) {
                Tensor x = b.floats("x", Shape.of(3, 5), new RandomValues(1).normal(15));
                Tensor y = b.floats("y", Shape.of(3, 3), new RandomValues(2).normal(9));
                b.matmulAcc(x, false, x, true, y);
                int calls = library.calls.size();
                assertTrue(library.calls.getLast().startsWith("gemmEx"), "the library adds to y in round " + round);
                b.matmulAcc(x, false, x, true, y);
                assertEquals(calls + 1, library.calls.size());
                Tensor z = b.zeros("z", b.floats("z", Shape.of(5, 5), random.normal(25)).spec());
                b.matmul(x, true, x, false, z);
                int after = library.calls.size();
                b.matmul(x, true, x, false, z);
                assertEquals(after, library.calls.size(), "ours is taken for the other shape in round " + round);
                float[] now = b.toFloats(y);
                if (sums != null) {
                    assertArrayEquals(sums, now, "sums of round " + round);
                }
                sums = now;
            }
            assertEquals(List.of(), clock, "measured as often as expected");
            library.close();
        }
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("retrograd kernel choices 1", "gemm F32 F32 nt acc 3x3x5 batch 1 shared = cublas", "gemm F32 F32 tn 5x5x3 batch 1 shared = ptx"), List.of(lines.get(0), lines.get(3), lines.get(4)));
        try (Stream<Path> files = Files.list(cache)) {
            assertEquals(lines, Files.readAllLines(files.findFirst().orElseThrow()), "the cache holds the same");
        }
    }

    @Test void aLibraryThatIsMissingIsAnErrorOnlyWhereItWasAskedFor() {
        EmulatedDriver driver = new EmulatedDriver(2L << 30);
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Products.CUBLAS), Optional.empty()));
        assertEquals("cuda: --gemm cublas needs cuBLAS of this driver's CUDA, and none was found (libcublas.so.12); put its folder into LD_LIBRARY_PATH, or use --gemm ptx", e.getMessage());
        assertEquals(0, driver.allocations());
        CudaBackend.open(new EmulatedDriver(2L << 30), options(Precision.F32, Products.AUTO), Optional.empty()).close();
        assertEquals(List.of("libcublas.so.13", "libcublas.so.12"), Cublas.names(13000));
        assertFalse(Cublas.find(List.of("libcublas-of-nowhere.so.1")).isPresent());
    }

    @Test void aLibraryThatRefusesItsSettingsLeavesNothingBehind() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCublas library = new FakeCublas(driver);
        library.refused = "setMathMode";
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Products.CUBLAS), Optional.of(library.symbols())));
        assertEquals("cuda: cublasSetMathMode: cublasStatus_t must be 0, got 7", e.getMessage());
        assertEquals("destroy", library.calls.getLast());
        assertEquals(0, driver.allocations());
        library.close();
    }

    @Test void aLibraryThatLacksAFunctionIsNotUsed() {
        FakeCublas library = new FakeCublas(new EmulatedDriver(1 << 20));
        library.remove("cublasGemmEx");
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Products.CUBLAS), Optional.of(library.symbols())));
        assertEquals("cuda: cuBLAS must have the function cublasGemmEx, got a library without it", e.getMessage());
        List<String> notices = new ArrayList<>();
        CudaBackend.open(driver, new BackendOptions(Optional.of(Precision.F32), true, Products.AUTO, BackendOptions.Convolutions.PTX, BackendOptions.Attention.PTX, BackendOptions.Tiles.TABLE, Optional.empty(), Optional.empty(), notices::add),
                Optional.of(library.symbols())).close();
        assertEquals(List.of("cuda: cuBLAS must have the function cublasGemmEx, got a library without it; --gemm auto uses the program's own kernels"), notices);
        library.close();
    }
}
