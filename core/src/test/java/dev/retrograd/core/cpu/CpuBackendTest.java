package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Binary;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.testing.RandomValues;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class CpuBackendTest {

    private static CpuBackend backend(int threads) {
        return new CpuBackend(CpuBackend.Options.defaults().withThreads(threads).withPoison());
    }

    @Test void freshTensorsOfAPoisonedBackendAreNaN() {
        try (CpuBackend b = backend(1)) {
            for (float v : b.toFloats(b.empty("x", Spec.f32(3, 7)))) {
                assertTrue(Float.isNaN(v));
            }
        }
    }

    @Test void uploadAndDownloadTakeExactlyTheTensorsBytes() {
        try (CpuBackend b = backend(1)) {
            Tensor x = b.floats("x", Shape.of(2, 2), 1, 2, 3, 4);
            float[] back = new float[2];
            b.download(x.leading(1, 1), MemorySegment.ofArray(back));
            assertArrayEquals(new float[] {3, 4}, back);
            assertEquals("download: 'x' [2,2] F32 takes 16 bytes, got 8",
                    assertThrows(ShapeException.class, () -> b.download(x, MemorySegment.ofArray(back))).getMessage());
            assertEquals("upload: 'x' [2,2] F32 takes 16 bytes, got 8",
                    assertThrows(ShapeException.class, () -> b.upload(MemorySegment.ofArray(back), x)).getMessage());
        }
    }

    @Test void kernelsReadSharedMemoryThatMustNotBeWrittenAndRefuseItAsAResult() {
        try (CpuBackend b = backend(2); Arena arena = Arena.ofShared()) {
            MemorySegment file = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, -2, 3, -4).asReadOnly();
            Tensor shared = b.share("weight", Spec.f32(1, 4), file);
            Tensor y = b.empty("y", shared.spec());
            Tensor two = b.empty("two", Spec.f32(1, 8));
            b.unary(Unary.RELU, shared, y);
            assertArrayEquals(new float[] {1, 0, 3, 0}, b.toFloats(y));
            Tensor pixel = y.reshape(1, 1, 1, 4);
            Tensor token = y.reshape(1, 1, 4);
            Tensor statistic = b.empty("statistic", Spec.f32(1, 1, 1));
            Tensor square = b.empty("square", Spec.f32(4, 4));
            ConvSpec one = ConvSpec.square(1, 1, 0);
            AttentionSpec head = new AttentionSpec(1, 1, false);
            List<Executable> writes = List.of(() -> b.unary(Unary.RELU, y, shared), () -> b.unaryBackward(Unary.SILU, y, y, shared),
                    () -> b.binary(Binary.ADD, y, y, shared), () -> b.softmax(y, shared), () -> b.geglu(two, shared),
                    () -> b.linearCombination(1, new double[] {2}, new Tensor[] {y}, shared), () -> b.broadcastTo(y, 1, shared),
                    () -> b.matmul(y, false, square, false, shared),
                    () -> b.conv2d(one, pixel, square.reshape(4, 1, 1, 4), shared.reshape(1, 1, 1, 4)),
                    () -> b.conv2dBackwardInput(one, pixel, square.reshape(4, 1, 1, 4), shared.reshape(1, 1, 1, 4)),
                    () -> b.conv2dBackwardWeight(one, pixel, statistic.reshape(1, 1, 1, 1), shared.reshape(1, 1, 1, 4)),
                    () -> b.attention(head, token, token, token, shared.reshape(1, 1, 4), statistic),
                    () -> b.attentionBackward(head, token, token, token, token, statistic, token, statistic, token, token, shared.reshape(1, 1, 4)),
                    () -> b.layerNorm(1e-5, y, y.reshape(4), y.reshape(4), shared, b.empty("mean", Spec.f32(1)), b.empty("rstd", Spec.f32(1))));
            for (Executable write : writes) {
                String message = assertThrows(IllegalArgumentException.class, write).getMessage();
                assertTrue(message.matches("cpu: a result that may be written is required, got 'weight' \\[(1,)+4] F32"), message);
            }
            assertArrayEquals(new float[] {1, -2, 3, -4}, b.toFloats(shared));
        }
    }

    @Test void everyKernelRefusesAFreedTensorByName() {
        try (CpuBackend b = backend(1)) {
            Tensor dead;
            try (Scope _ = b.memory().open("step 3")) {
                dead = b.floats("eps", Shape.of(1), 1);
            }
            assertEquals("memory: 'eps' used after it was freed by the end of scope 'step 3'",
                    assertThrows(IllegalStateException.class, () -> b.toFloats(dead)).getMessage());
            assertThrows(IllegalStateException.class, () -> b.fill(dead, 0));
        }
    }

    @Test void refusesNoThreads() {
        assertEquals("cpu: threads must be 1 or more, got 0",
                assertThrows(IllegalArgumentException.class, () -> CpuBackend.Options.defaults().withThreads(0)).getMessage());
    }

    @Test void theNumberOfThreadsChangesNoBit() {
        List<float[]> one = everyFamily(1);
        for (int threads : new int[] {2, 5}) {
            List<float[]> many = everyFamily(threads);
            for (int i = 0; i < one.size(); i++) {
                assertArrayEquals(one.get(i), many.get(i), "result " + i + " on " + threads + " threads");
            }
        }
    }

    private static List<float[]> everyFamily(int threads) {
        try (CpuBackend b = backend(threads)) {
            RandomValues random = new RandomValues(11);
            Shape shape = Shape.of(3, 37, 41, 29);
            Tensor x = b.floats("x", shape, random.normal(shape.elements()));
            Tensor w = b.floats("w", Shape.of(17, 3, 3, 29), random.normal(17 * 9 * 29));
            Tensor y = b.empty("y", Spec.f32(3, 37, 41, 17));
            b.conv2d(ConvSpec.square(3, 1, 1), x, w, y);
            Tensor dw = b.empty("dw", w.spec());
            b.conv2dBackwardWeight(ConvSpec.square(3, 1, 1), x, y, dw);
            Tensor norm = b.empty("norm", Spec.f32());
            b.globalNorm(List.of(x, w), norm);
            Tensor turned = b.empty("turned", Spec.f32(29, 3, 41, 37));
            b.permute(x, new int[] {3, 0, 2, 1}, turned);
            Tensor probabilities = b.empty("softmax", x.spec());
            b.softmax(x, probabilities);
            return Stream.of(y, dw, norm, turned, probabilities, b.sumTo(x, 0.1, Shape.of()), b.sumTo(x, 0.1, Shape.of(29)), b.sumTo(x, 0.1, Shape.of(3, 1, 1, 1)),
                    b.sumTo(x, 0.1, Shape.of(3, 1, 1, 29)), b.sumTo(x, 0.1, Shape.of(1, 37, 1, 29)), b.broadcastTo(b.sumTo(x, 1, Shape.of(29)), 2, shape))
                    .map(b::toFloats).toList();
        }
    }
}
