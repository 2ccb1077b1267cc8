package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StateDictTest {
    @TempDir
    private Path folder;

    private final CpuBackend backend = new CpuBackend(CpuBackend.Options.defaults().withThreads(1));
    private SafeTensors tensors;
    private StateDict weights;

    @BeforeEach void open() throws IOException {
        Path file = folder.resolve("model.safetensors");
        short one = Float.floatToFloat16(1.5f);
        new SafeTensorsWriter().add("matrix", Shape.of(2, 3), 1, 2, 3, 4, 5, 6)
                .add("kernel", Shape.of(1, 2, 1, 2), 1, 2, 3, 4)
                .add("pointwise", Shape.of(2, 1, 1, 1), 1, 2)
                .add("broken", Shape.of(2), 1, Float.POSITIVE_INFINITY)
                .add("half", new Spec(Shape.of(2, 1), DType.F16), () -> MemorySegment.ofArray(new short[] {one, one}))
                .add("halfVector", new Spec(Shape.of(2), DType.F16), () -> MemorySegment.ofArray(new short[] {one, one}))
                .add("ids", new Spec(Shape.of(2), DType.I32), () -> MemorySegment.ofArray(new int[] {1, 2})).write(file);
        tensors = SafeTensors.open(file);
        weights = new StateDict("model", tensors, backend);
    }

    @AfterEach void close() {
        weights.close();
        tensors.close();
        assertEquals(0, backend.memory().liveBytes(), "live bytes when all is closed");
        backend.close();
    }

    private static void assertRefused(String message, Executable reading) {
        assertEquals(message, assertThrows(ModelFormatException.class, reading).getMessage());
    }

    @Test void relaysKernelsAndKeepsMatrices() throws IOException {
        assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, backend.toFloats(weights.get("matrix", 2, 3).value()));
        Parameter kernel = weights.kernel("kernel", 1, 2, 1, 2);
        assertEquals(Shape.of(1, 1, 2, 2), kernel.spec().shape());
        assertEquals(Shape.of(1, 2, 1, 2), kernel.fileShape());
        assertArrayEquals(new float[] {1, 3, 2, 4}, backend.toFloats(kernel.value()));
        Parameter pointwise = weights.pointwise("pointwise", 2, 1);
        assertEquals(Shape.of(2, 1), pointwise.spec().shape());
        assertEquals(Shape.of(2, 1, 1, 1), pointwise.fileShape());
        assertFalse(pointwise.trainable());
        assertEquals(Shape.of(2, 3), weights.pointwise("matrix", 2, 3).fileShape());
        assertFalse(weights.in("x").has("matrix"));
    }

    @Test void matricesRestAsTheFileHasThemAndVectorsInFloat32() throws IOException {
        assertEquals(DType.F16, weights.get("half", 2, 1).spec().dtype());
        Parameter vector = weights.get("halfVector", 2);
        assertEquals(DType.F32, vector.spec().dtype());
        assertArrayEquals(new float[] {1.5f, 1.5f}, backend.toFloats(vector.value()));
    }

    @Test void refusesWhatTheConfigurationDoesNotAskFor() {
        assertRefused("model: tensor 'none' is missing; the model's config.json asks for it, [2,3]", () -> weights.get("none", 2, 3));
        assertRefused("model: tensor 'a.b.none' is missing; the model's config.json asks for it, [2]", () -> weights.in("a").in("b").get("none", 2));
        assertRefused("model: tensor 'matrix' must be [3,2] after the model's config.json, got [2,3]", () -> weights.get("matrix", 3, 2));
        assertRefused("model: tensor 'matrix' must be [2,3,1,2] after the model's config.json, got [2,3]", () -> weights.kernel("matrix", 2, 3, 1, 2));
        assertRefused("model: tensor 'broken' must be finite, got Infinity at element 1", () -> weights.get("broken", 2));
        assertRefused("model: tensor 'ids' must hold floating-point numbers, got I32", () -> weights.get("ids", 2));
    }

    @Test void mappedWeightsAreReadWhereTheyLie() throws IOException {
        weights.get("matrix", 2, 3);
        try (StateDict mapped = StateDict.mapped("model", tensors, backend)) {
            Parameter matrix = mapped.get("matrix", 2, 3);
            assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, backend.toFloats(matrix.value()));
            assertTrue(matrix.value().storage().readOnly());
            assertFalse(weights.get("matrix", 2, 3).value().storage().readOnly());
            Parameter kernel = mapped.kernel("kernel", 1, 2, 1, 2);
            assertArrayEquals(new float[] {1, 3, 2, 4}, backend.toFloats(kernel.value()));
            assertFalse(kernel.value().storage().readOnly(), "a kernel that is laid out anew is a copy");
            matrix.trainable(true);
            assertTrue(assertThrows(IllegalArgumentException.class, () -> new AdamW(backend, List.of(matrix), AdamW.Hyperparameters.DEFAULT)).getMessage().contains("in a mapped file"));
        }
    }

    /// Infinities and NaN at every place, in every type; the largest finite values pass.
    @ParameterizedTest @EnumSource(names = {"F32", "F16", "BF16"})
    void valuesThatAreNotFiniteAreFound(DType type) throws IOException {
        int largest = type == DType.F16 ? 0x7BFF : 0x7F7F;
        int infinity = type == DType.F16 ? 0x7C00 : 0x7F80;
        for (int place = -1; place < 7; place++) {
            for (int bad : new int[] {infinity, infinity | 0x8000, infinity | 1}) {
                byte[] bytes = new byte[7 * type.bytes()];
                for (int i = 0; i < 7; i++) {
                    int high = i == place ? bad : largest | (i % 2 == 0 ? 0x8000 : 0);
                    bytes[(i + 1) * type.bytes() - 1] = (byte) (high >> 8);
                    bytes[(i + 1) * type.bytes() - 2] = (byte) high;
                }
                Path file = folder.resolve("values.safetensors");
                new SafeTensorsWriter().add("x", new Spec(Shape.of(7), type), () -> MemorySegment.ofArray(bytes)).write(file);
                try (SafeTensors values = SafeTensors.open(file)) {
                    assertEquals(place < 0, values.finite("x"), type + " " + Integer.toHexString(bad) + " at " + place);
                }
            }
        }
    }

    @Test void refusesTensorsThatNobodyRead() throws IOException {
        weights.get("matrix", 2, 3);
        assertRefused("model: 6 tensors are not part of the model that config.json describes: broken, half, halfVector, …", () -> weights.requireAllRead(_ -> false));
        assertRefused("model: 1 tensors are not part of the model that config.json describes: kernel", () -> weights.requireAllRead(name -> !name.equals("kernel")));
        weights.requireAllRead(name -> !name.equals("matrix"));
    }
}
