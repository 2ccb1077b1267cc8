package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendContract;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.contract.ContractCase;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.cuda.Providers.Libraries;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
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
            return new Opened(driver, library, CudaBackend.open(driver, options, with(library)));
        }

        void close() {
            backend.close();
            library.close();
            assertEquals(0, driver.allocations(), "allocations that the backend left behind");
        }
    }

    private static Libraries with(FakeCublas library) {
        return new Libraries(Optional.of(library.library()), Optional.empty());
    }

    private static BackendOptions options(Precision p, Products products) {
        return BackendOptions.of(Assertions::fail).with(Optional.of(p)).with(products);
    }

    @AfterAll static void end() {
        OPENED.values().forEach(Opened::close);
        for (Opened o : OPENED.values()) {
            assertTrue(o.library.count("gemmEx") > 0, "the library multiplies");
            assertEquals("destroy", o.library.calls.getLast());
        }
        assertTrue(OPENED.get(Precision.F32).library.count("gemmStridedBatchedEx") > 0, "batches, too");
        OPENED.clear();
    }

    /// Of float16, whose code alone is different, the small ones.
    @TestFactory Stream<DynamicTest> allProductsOfTheContract() {
        return Stream.of(Precision.F32, Precision.BF16, Precision.FP16).flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream()
                .filter(c -> c.toString().toLowerCase(Locale.ROOT).contains("matmul") && (p != Precision.FP16 || c.toString().endsWith(" 7") || c.toString().contains("batched"))).toList(), (c, seed) -> c.runRoundingTwice(OPENED.computeIfAbsent(p, q -> Opened.of(options(q, Products.CUBLAS))).backend, seed)));
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

    @Test void whatFollowsAProductIsDoneByOurKernelAfterIt() {
        Opened opened = Opened.of(options(Precision.F32, Products.CUBLAS));
        CudaBackend b = opened.backend;
        Tensor x = b.floats("x", Shape.of(2, 2), 1, 2, 3, 4);
        Tensor bias = b.floats("bias", Shape.of(2), 1, 2);
        Tensor y = b.zeros("y", x.spec());
        b.linear(x, x, bias, y);
        assertArrayEquals(new float[] {6, 13, 12, 27}, b.toFloats(y));
        assertEquals(1, opened.library.count("gemmEx"));
        assertTrue(opened.driver.launched().contains("matmul_finish"), opened.driver.launched().toString());
        Tensor half = b.empty("half", x.spec().with(DType.F16));
        b.convert(x, half);
        b.linear(x, half, y);
        assertArrayEquals(new float[] {5, 11, 11, 25}, b.toFloats(y));
        assertEquals(1, opened.library.count("gemmEx"), "operands of two types are ours");
        opened.close();
    }

    /// Layers with epilogues, on tensor cores: bias, activations and residuals, in place too; what is gated stays ours.
    @TestFactory Stream<DynamicTest> layersOfTheContractWithEpilogues() {
        return Stream.of(Precision.BF16, Precision.TF32).flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream()
                .filter(c -> c.family().equals("matrix") && c.name().toLowerCase(Locale.ROOT).contains("linear") && (c.name().endsWith(" 13") || c.name().endsWith(" 64") || !c.name().matches(".*\\d"))).toList(),
                (c, seed) -> c.runRoundingTwice(OPENED.computeIfAbsent(p, q -> Opened.of(options(q, Products.CUBLAS))).backend, seed)));
    }

    @Test void theFunctionsAreCalledAsTheHeaderDeclaresThem() {
        Opened opened = Opened.of(options(Precision.F32, Products.CUBLAS));
        assertEquals(opened.library.declared(), opened.library.library().bound());
        opened.close();
    }

    @Test void underAutoTheFasterOneOfAShapeIsTakenAndARunGoesOnWithIt(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        Path cache = folder.resolve("cache");
        RandomValues random = new RandomValues(3);
        float[] sums = null;
        for (int round = 0; round < 3; round++) {
            EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
            FakeCublas library = new FakeCublas(driver);
            ScriptedClock clock = new ScriptedClock();
            if (round == 0) {
                clock.then(2, 1).then(1, 2);   // the library is faster, then ours
            }
            if (round == 2) {
                Files.delete(run);   // a new run takes what the cache has
            }
            BackendOptions options = options(Precision.F32, Products.AUTO).keeping(Optional.of(run), Optional.of(cache));
            try (CudaBackend b = CudaBackend.open(clock.on(driver), options, with(library))) {
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
            assertEquals(List.of(), clock.left(), "measured as often as expected");
            library.close();
        }
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("retrograd kernel choices 1", "gemm F32 F32 nt acc 3x3x5 batch 1 shared = cublas", "gemm F32 F32 tn 5x5x3 batch 1 shared = ptx"), List.of(lines.get(0), lines.get(3), lines.get(4)));
        try (Stream<Path> files = Files.list(cache)) {
            assertEquals(lines, Files.readAllLines(files.findFirst().orElseThrow()), "the cache holds the same");
        }
    }

    private static float[] product(CudaBackend b, int columns) {
        Tensor x = b.floats("x", Shape.of(8, 16), new RandomValues(1).normal(128));
        Tensor w = b.floats("w", Shape.of(columns, 16), new RandomValues(2).normal(columns * 16));
        Tensor y = b.zeros("y", Spec.f32(8, columns));
        b.matmul(x, false, w, true, y);
        return b.toFloats(y);
    }

    @Test void underAutoALibraryThatDisagreesIsUsedForNoFurtherShapeAndIsSaidOnce(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCublas library = new FakeCublas(driver);
        List<String> notices = new ArrayList<>();
        BackendOptions options = BackendOptions.of(notices::add).with(Optional.of(Precision.F32)).with(Products.AUTO).keeping(Optional.of(run), Optional.empty());
        ScriptedClock clock = new ScriptedClock().then(2, 1);
        try (CudaBackend b = CudaBackend.open(clock.on(driver), options, with(library)); CudaBackend ptx = new CudaBackend(new EmulatedDriver(DEVICE_BYTES), Precision.F32)) {
            product(b, 4);
            library.wrong = true;
            assertArrayEquals(product(ptx, 5), product(b, 5));
            assertArrayEquals(product(ptx, 6), product(b, 6));
            assertEquals(List.of(), clock.left(), "what disagrees is not timed");
            assertEquals(1, notices.size(), notices.toString());
            assertTrue(notices.getFirst().matches("cuda: cublas must agree with the program's own kernels within \\S+ of a result's size, got \\S+ at 'gemm F32 F32 nt 8x5x16 batch 1 shared'; "
                    + "--gemm auto uses it for no further shape"), notices.getFirst());
        }
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("gemm F32 F32 nt 8x4x16 batch 1 shared = cublas", "gemm F32 F32 nt 8x5x16 batch 1 shared = ptx", "gemm F32 F32 nt 8x6x16 batch 1 shared = ptx"), lines.subList(3, lines.size()));
        library.close();
    }

    @Test void underAutoALibraryThatRefusesAProductIsUsedForNoFurtherShape() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCublas library = new FakeCublas(driver);
        library.refused = "gemmEx";
        List<String> notices = new ArrayList<>();
        try (CudaBackend b = CudaBackend.open(driver, BackendOptions.of(notices::add).with(Optional.of(Precision.F32)).with(Products.AUTO), with(library))) {
            product(b, 4);
            product(b, 5);
            assertEquals(List.of("cuda: cublasGemmEx: cublasStatus_t must be 0, got 7; --gemm auto uses it for no further shape"), notices);
        }
        library.close();
    }

    @Test void resultsThatAreAllZeroOrNotFiniteSettleNothing() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCublas library = new FakeCublas(driver);
        ScriptedClock clock = new ScriptedClock();
        try (CudaBackend b = CudaBackend.open(clock.on(driver), options(Precision.F32, Products.AUTO), with(library))) {
            Tensor x = b.floats("x", Shape.of(2, 2), 1, 2, 3, 4);
            Tensor y = b.zeros("y", x.spec());
            b.matmul(x, false, b.zeros("w", x.spec()), false, y);
            b.matmul(x, false, b.floats("w", Shape.of(2, 2), Float.POSITIVE_INFINITY, 0, 0, 1), false, y);
            assertEquals(0, library.count("gemm"), "nothing was compared");
            clock.then(2, 1);
            b.matmul(x, false, x, false, y);
            assertArrayEquals(new float[] {7, 10, 15, 22}, b.toFloats(y));
            assertTrue(library.count("gemm") > 0);
        }
        assertEquals(List.of(), clock.left());
        library.close();
    }

    @Test void kernelsForComputeCapability90CompeteWhereTheyRun(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES);
        FakeCublas library = new FakeCublas(driver);
        ScriptedClock clock = new ScriptedClock().then(3, 1, 2).then(1, 2, 3).then(2, 1);
        BackendOptions options = options(Precision.BF16, Products.AUTO).with(BackendOptions.Tiles.TABLE).keeping(Optional.of(run), Optional.empty());
        float[] values = new RandomValues(3).normal(64 * 64);
        try (CudaBackend b = CudaBackend.open(clock.on(driver), options, with(library))) {
            Tensor wide = b.floats("wide", Shape.of(64, 64), values);
            Tensor x = b.empty("x", wide.spec().with(DType.BF16));
            b.convert(wide, x);
            Tensor y = b.empty("y", x.spec());
            b.matmul(x, false, x, true, y);
            b.matmul(x, true, x, false, y);
            Tensor hidden = b.empty("hidden", x.spec());
            Tensor gated = b.empty("gated", new Spec(Shape.of(64, 32), DType.BF16));
            b.linearGeglu(x, x, b.zeros("bias", Spec.f32(64)), hidden, gated);
        }
        assertEquals(List.of(), clock.left());
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("gemm BF16 BF16 nt 64x64x64 batch 1 shared = hopper", "gemm BF16 BF16 tn 64x64x64 batch 1 shared = ptx", "gemm BF16 BF16 nt 64x64x64 batch 1 shared bias geglu = hopper"),
                lines.subList(3, lines.size()));
        library.close();
        IllegalStateException e = assertThrows(IllegalStateException.class, () -> {
            try (CudaBackend b = CudaBackend.open(new EmulatedDriver(DEVICE_BYTES), options, Libraries.NONE)) {
                Tensor x = b.zeros("x", new Spec(Shape.of(64, 64), DType.BF16));
                b.matmul(x, false, x, true, b.empty("y", x.spec()));
            }
        });
        assertEquals(run + ": 'gemm BF16 BF16 nt 64x64x64 batch 1 shared' must be a choice that can be followed here, got 'hopper'; without the file, it is measured anew", e.getMessage());
    }

    @Test void aLibraryThatIsMissingIsAnErrorOnlyWhereItWasAskedFor() {
        EmulatedDriver driver = new EmulatedDriver(2L << 30);
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Products.CUBLAS), Libraries.NONE));
        assertEquals("cuda: --gemm cublas needs cuBLAS of this driver's CUDA, and none was found (libcublas.so.12); put its folder into LD_LIBRARY_PATH, or use --gemm ptx", e.getMessage());
        assertEquals(0, driver.allocations());
        CudaBackend.open(new EmulatedDriver(2L << 30), options(Precision.F32, Products.AUTO), Libraries.NONE).close();
        assertEquals(List.of("libcublas.so.13", "libcublas.so.12"), Cublas.files(13000));
        assertFalse(VendorLibrary.find("cuBLAS", List.of("libcublas-of-nowhere.so.1")).isPresent());
    }

    @Test void aLibraryThatRefusesItsSettingsLeavesNothingBehind() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCublas library = new FakeCublas(driver);
        library.refused = "setMathMode";
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Products.CUBLAS), with(library)));
        assertEquals("cuda: cublasSetMathMode: cublasStatus_t must be 0, got 7", e.getMessage());
        assertEquals("destroy", library.calls.getLast());
        assertEquals(0, driver.allocations());
        library.close();
    }

    @Test void aLibraryThatLacksAFunctionIsNotUsed() {
        FakeCublas library = new FakeCublas(new EmulatedDriver(1 << 20));
        library.remove("cublasGemmEx");
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Products.CUBLAS), with(library)));
        assertEquals("cuda: cuBLAS must have the function cublasGemmEx, got a library without it", e.getMessage());
        List<String> notices = new ArrayList<>();
        CudaBackend.open(driver, BackendOptions.of(notices::add).with(Optional.of(Precision.F32)).with(Products.AUTO),
                with(library)).close();
        assertEquals(List.of("cuda: cuBLAS must have the function cublasGemmEx, got a library without it; --gemm auto uses the program's own kernels"), notices);
        library.close();
    }
}
