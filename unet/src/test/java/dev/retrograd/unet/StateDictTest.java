package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Parameter;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

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

    @Test void refusesTensorsThatNobodyRead() throws IOException {
        weights.get("matrix", 2, 3);
        assertRefused("model: 6 tensors are not part of the model that config.json describes: broken, half, halfVector, …", () -> weights.requireAllRead(_ -> false));
        assertRefused("model: 1 tensors are not part of the model that config.json describes: kernel", () -> weights.requireAllRead(name -> !name.equals("kernel")));
        weights.requireAllRead(name -> !name.equals("matrix"));
    }
}
