package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendContract;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.ConvSpec;
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
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// Convolutions through the functions of cuDNN, which a stand-in computes: what it is told of layouts, sizes and algorithms says what our kernels would do.
class VendorConvolutionsTest {
    private static final long DEVICE_BYTES = 256L << 20;
    private static final ConvSpec SAME = ConvSpec.square(3, 1, 1);
    private static final Map<Precision, Opened> OPENED = new EnumMap<>(Precision.class);

    private record Opened(EmulatedDriver driver, FakeCudnn library, CudaBackend backend) {
        static Opened of(BackendOptions options) {
            EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
            FakeCudnn library = new FakeCudnn(driver);
            return new Opened(driver, library, CudaBackend.open(driver, options, with(library)));
        }

        void close() {
            backend.close();
            library.close();
            assertEquals(0, driver.allocations(), "allocations that the backend left behind");
            assertEquals("destroy with 0 descriptors", library.calls.getLast());
        }
    }

    private static Libraries with(FakeCudnn library) {
        return new Libraries(Optional.empty(), Optional.of(library.library()));
    }

    private static BackendOptions options(Precision p, Convolutions convolutions) {
        return BackendOptions.of(Assertions::fail).with(Optional.of(p)).with(convolutions);
    }

    @AfterAll static void end() {
        OPENED.values().forEach(Opened::close);
        for (Opened o : OPENED.values()) {
            assertTrue(o.library.count("convolutionForward") > 0 && o.library.count("convolutionBackwardData") > 0, "the library convolves");
        }
        assertTrue(OPENED.get(Precision.F32).library.count("convolutionBackwardFilter") > 0, "and its weights get gradients");
        OPENED.clear();
    }

    /// In tf32 and float16, whose codes alone are different, those of one method.
    @TestFactory Stream<DynamicTest> allConvolutionsOfTheContract() {
        return Stream.of(Precision.values()).flatMap(p -> BackendContract.tests(p + " ", ContractCase.all(p).stream()
                .filter(c -> c.family().equals("convolution") && (p == Precision.F32 || p == Precision.BF16 || c.name().contains("SoManyColumns"))).toList(),
                (c, seed) -> c.runRoundingTwice(OPENED.computeIfAbsent(p, q -> Opened.of(options(q, Convolutions.CUDNN))).backend, seed)));
    }

    private static Tensor normal(CudaBackend b, int seed, int... dims) {
        Shape shape = Shape.of(dims);
        Tensor wide = b.floats("wide", shape, new RandomValues(seed).normal(Math.toIntExact(shape.elements())));
        Tensor t = b.empty("t", new Spec(shape, b.activations()));
        b.convert(wide, t);
        return t;
    }

    private static float[] convolve(CudaBackend b, int channels) {
        Tensor y = b.empty("y", new Spec(Shape.of(1, 4, 5, 6), b.activations()));
        b.conv2d(SAME, normal(b, 1, 1, 4, 5, channels), normal(b, 2, 6, 3, 3, channels), b.floats("bias", Shape.of(6), new RandomValues(3).normal(6)), y);
        return b.toFloats(y);
    }

    @Test void theFunctionsAreCalledAsTheHeadersDeclareThem() {
        Opened opened = Opened.of(options(Precision.F32, Convolutions.CUDNN));
        assertEquals(opened.library.declared(), opened.library.library().bound());
        opened.close();
    }

    @Test void theLibraryIsToldLayoutsSizesAndHowExactlyOncePerShape() {
        Map<Precision, int[]> codes = Map.of(Precision.F32, new int[] {0, 3}, Precision.TF32, new int[] {0, 0}, Precision.BF16, new int[] {9, 1}, Precision.FP16, new int[] {2, 1});
        codes.forEach((p, code) -> {
            Opened opened = Opened.of(options(p, Convolutions.CUDNN));
            CudaBackend b = opened.backend;
            Tensor x = normal(b, 1, 2, 7, 5, 8);
            Tensor w = normal(b, 2, 6, 3, 3, 8);
            Tensor y = b.empty("y", new Spec(Shape.of(2, 4, 3, 6), b.activations()));
            for (int i = 0; i < 2; i++) {
                b.conv2d(ConvSpec.square(3, 2, 1), x, w, y);
            }
            String convolution = "convolutionForward math " + code[1];
            assertEquals(List.of("create", "setStream " + (EmulatedDriver.FIRST_STREAM + 1), "setTensor " + code[0] + " 2x7x5x8", "setFilter " + code[0] + " 6x3x3x8",
                    "setTensor " + code[0] + " 2x4x3x6", "setConvolution pad 1,1 stride 2", "setMathType " + code[1], "algorithmsForward", "setMathType " + code[1], convolution, convolution),
                    opened.library.calls, p.toString());
            opened.close();
        });
    }

    @Test void theWorkspaceIsInThePlanAndNothingElseIsTaken() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        long free = driver.freeBytes();
        try (CudaBackend ptx = new CudaBackend(driver, Precision.BF16)) {
            long without = free - driver.freeBytes();
            EmulatedDriver other = new EmulatedDriver(DEVICE_BYTES);
            FakeCudnn library = new FakeCudnn(other);
            try (CudaBackend b = CudaBackend.open(other, options(Precision.BF16, Convolutions.CUDNN).withGraphs(false), with(library))) {
                assertEquals(64 << 20, b.workspaceBytes() - ptx.workspaceBytes());
                assertEquals(64 << 20, free - other.freeBytes() - without);
                int allocations = other.allocations();
                Tensor y = b.empty("y", new Spec(Shape.of(1, 4, 5, 6), DType.BF16));
                Tensor x = normal(b, 1, 1, 4, 5, 8);
                Tensor w = normal(b, 2, 6, 3, 3, 8);
                int tensors = other.allocations() - allocations;
                b.conv2d(SAME, x, w, y);
                assertEquals(allocations + tensors, other.allocations());
            }
            library.close();
        }
    }

    @Test void whatTheLibraryCannotDoIsOurs() {
        Opened opened = Opened.of(options(Precision.BF16, Convolutions.CUDNN));
        CudaBackend b = opened.backend;
        Tensor x = normal(b, 1, 1, 8, 8, 8);
        Tensor w = normal(b, 2, 8, 3, 3, 8);
        Tensor y = b.empty("y", new Spec(Shape.of(1, 4, 4, 8), DType.BF16));
        b.conv2d(new ConvSpec(3, 3, 2, 0, 1, 0, 1), x, w, y);
        assertEquals(0, opened.library.count("setTensor"), "padding at one end is not described");
        b.conv2dBackwardWeight(ConvSpec.square(3, 2, 1), x, y, b.empty("dw", Spec.f32(8, 3, 3, 8)));
        assertEquals(0, opened.library.count("setTensor"), "nor are gradients in float32 of operands in 16 bits");
        opened.library.recommendation = FakeCudnn.NOT_SUPPORTED;
        b.conv2d(ConvSpec.square(3, 2, 1), x, w, y);
        b.conv2d(ConvSpec.square(3, 2, 1), x, w, y);
        assertEquals(1, opened.library.count("algorithmsForward"));
        assertEquals(0, opened.library.count("convolution"));
        opened.library.recommendation = FakeCudnn.BAD_PARAM;
        CudaException e = assertThrows(CudaException.class, () -> b.conv2dBackwardInput(ConvSpec.square(3, 2, 1), y, w, x));
        assertEquals("cuda: cudnnGetConvolution…Algorithm_v7: cudnnStatus_t must be 0, got 2000 (CUDNN_STATUS_BAD_PARAM)", e.getMessage());
        opened.close();
    }

    @Test void underAutoTheFasterOneOfAShapeIsTakenAndARunGoesOnWithIt(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        float[] first = null;
        for (int round = 0; round < 2; round++) {
            EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
            FakeCudnn library = new FakeCudnn(driver);
            ScriptedClock clock = round == 0 ? new ScriptedClock().then(2, 1).then(1, 2) : new ScriptedClock();
            try (CudaBackend b = CudaBackend.open(clock.on(driver), options(Precision.BF16, Convolutions.AUTO).keeping(Optional.of(run), Optional.empty()), with(library))) {
                float[] y = convolve(b, 8);
                assertTrue(library.calls.getLast().startsWith("convolutionForward"), "the library convolves in round " + round);
                long calls = library.count("convolutionForward");
                assertArrayEquals(y, convolve(b, 8));
                assertEquals(calls + 1, library.count("convolutionForward"));
                convolve(b, 16);
                calls = library.count("convolutionForward");
                convolve(b, 16);
                assertEquals(calls, library.count("convolutionForward"), "ours is taken for the other shape in round " + round);
                assertArrayEquals(first == null ? y : first, y);
                first = y;
            }
            assertEquals(List.of(), clock.left());
            library.close();
        }
        List<String> lines = Files.readAllLines(run);
        assertEquals(List.of("conv forward BF16 BF16 1x4x5x8 to 4x5x6 kernel 3x3 stride 1 pad 1,1 bias = cudnn", "conv forward BF16 BF16 1x4x5x16 to 4x5x6 kernel 3x3 stride 1 pad 1,1 bias = ptx"),
                lines.subList(3, lines.size()));
    }

    @Test void kernelsForComputeCapability90CompeteWhereTheyRun(@TempDir Path folder) throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        EmulatedDriver driver = EmulatedDriver.hopper(DEVICE_BYTES);
        FakeCudnn library = new FakeCudnn(driver);
        ScriptedClock clock = new ScriptedClock().then(3, 1, 2).then(3, 2, 1).then(1, 2);
        BackendOptions options = options(Precision.BF16, Convolutions.AUTO).with(BackendOptions.Tiles.TABLE).keeping(Optional.of(run), Optional.empty());
        try (CudaBackend b = CudaBackend.open(clock.on(driver), options, with(library))) {
            convolve(b, 8);
            convolve(b, 16);
            convolve(b, 5);
        }
        assertEquals(List.of(), clock.left());
        assertEquals(List.of("conv forward BF16 BF16 1x4x5x8 to 4x5x6 kernel 3x3 stride 1 pad 1,1 bias = hopper", "conv forward BF16 BF16 1x4x5x16 to 4x5x6 kernel 3x3 stride 1 pad 1,1 bias = cudnn"),
                Files.readAllLines(run).stream().filter(l -> l.contains("x8 ") || l.contains("x16 ")).toList());
        library.close();
    }

    @Test void underAutoALibraryThatDisagreesIsNotUsed() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCudnn library = new FakeCudnn(driver);
        library.wrong = true;
        List<String> notices = new ArrayList<>();
        try (CudaBackend b = CudaBackend.open(driver, BackendOptions.of(notices::add).with(Optional.of(Precision.BF16)).with(Convolutions.AUTO), with(library));
                CudaBackend ptx = new CudaBackend(new EmulatedDriver(DEVICE_BYTES), Precision.BF16)) {
            assertArrayEquals(convolve(ptx, 8), convolve(b, 8));
            assertArrayEquals(convolve(ptx, 16), convolve(b, 16));
            assertEquals(1, library.count("convolutionForward"));
            assertEquals(1, notices.size(), notices.toString());
            assertTrue(notices.getFirst().startsWith("cuda: cudnn must agree with the program's own kernels within 0.0625 of a result's size, got ") && notices.getFirst().endsWith(
                    " at 'conv forward BF16 BF16 1x4x5x8 to 4x5x6 kernel 3x3 stride 1 pad 1,1 bias'; --conv auto uses it for no further shape"), notices.getFirst());
        }
        library.close();
    }

    @Test void underAutoALibraryThatRefusesToPlanIsUsedForNoFurtherShape() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        FakeCudnn library = new FakeCudnn(driver);
        library.recommendation = FakeCudnn.BAD_PARAM;
        List<String> notices = new ArrayList<>();
        try (CudaBackend b = CudaBackend.open(driver, BackendOptions.of(notices::add).with(Optional.of(Precision.BF16)).with(Convolutions.AUTO), with(library));
                CudaBackend ptx = new CudaBackend(new EmulatedDriver(DEVICE_BYTES), Precision.BF16)) {
            for (int channels : new int[] {8, 8, 16}) {
                assertArrayEquals(convolve(ptx, channels), convolve(b, channels));
            }
            assertEquals(List.of("cuda: cudnnGetConvolution…Algorithm_v7: cudnnStatus_t must be 0, got 2000 (CUDNN_STATUS_BAD_PARAM); --conv auto uses it for no further shape"), notices);
        }
        library.close();
    }

    @Test void aLibraryThatIsMissingOrTooOldOrLacksAFunctionIsAnErrorOnlyWhereItWasAskedFor() {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, options(Precision.F32, Convolutions.CUDNN), Libraries.NONE));
        assertEquals("cuda: --conv cudnn needs cuDNN 9 or 8, and none was found (libcudnn.so.9, libcudnn.so.8); put its folder into LD_LIBRARY_PATH, or use --conv ptx", e.getMessage());
        CudaBackend.open(new EmulatedDriver(DEVICE_BYTES), options(Precision.F32, Convolutions.AUTO), Libraries.NONE).close();
        FakeCudnn library = new FakeCudnn(driver);
        library.version = 8005;
        refuses(driver, library, "cuda: cuDNN must be 8.1 or newer, got version 8005");
        library.version = 8907;
        library.refused = "setStream";
        refuses(driver, library, "cuda: cudnnSetStream: cudnnStatus_t must be 0, got 2000 (CUDNN_STATUS_BAD_PARAM)");
        library.remove("cudnnConvolutionBackwardFilter");
        refuses(driver, library, "cuda: cuDNN must have the function cudnnConvolutionBackwardFilter, got a library without it");
        library.close();
    }

    private static void refuses(EmulatedDriver driver, FakeCudnn library, String why) {
        FakeCublas cublas = new FakeCublas(driver);
        Libraries both = new Libraries(Optional.of(cublas.library()), Optional.of(library.library()));
        BackendOptions named = options(Precision.F32, Convolutions.CUDNN).with(BackendOptions.Products.CUBLAS);
        CudaException e = assertThrows(CudaException.class, () -> CudaBackend.open(driver, named, both));
        assertEquals(why, e.getMessage());
        assertEquals(0, driver.allocations());
        assertEquals("destroy", cublas.calls.getLast(), "what was opened before is closed");
        List<String> notices = new ArrayList<>();
        CudaBackend.open(new EmulatedDriver(DEVICE_BYTES), BackendOptions.of(notices::add).with(Convolutions.AUTO), with(library)).close();
        assertEquals(List.of(why + "; --conv auto uses the program's own kernels"), notices);
        cublas.close();
    }
}
