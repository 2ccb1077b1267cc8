package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

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

    @Test void refusesAnotherBackendsTensor() {
        try (CpuBackend b = backend(1); ReferenceBackend other = new ReferenceBackend()) {
            Tensor foreign = other.floats("x", Shape.of(1), 1);
            assertEquals("cpu: 'x' [1] F32 belongs to another backend",
                    assertThrows(IllegalArgumentException.class, () -> b.fill(foreign, 0)).getMessage());
        }
    }

    @Test void refusesNoThreads() {
        assertEquals("cpu: threads must be 1 or more, got 0",
                assertThrows(IllegalArgumentException.class, () -> CpuBackend.Options.defaults().withThreads(0)).getMessage());
    }

    @Test void batchedProductsAndEpiloguesAgreeWithTheReference() {
        agree(b -> {
            Tensor a = normals(b, 1, 3, 5, 7);
            Tensor c = normals(b, 2, 3, 7, 6);
            Tensor w = normals(b, 3, 6, 7);
            Tensor bias = normals(b, 4, 6);
            Tensor y = b.empty("y", Spec.f32(3, 5, 6));
            b.matmul(a, false, c, false, y);
            Tensor shared = b.empty("shared", Spec.f32(3, 5, 6));
            b.linear(a, w, bias, shared);
            b.matmulAcc(a, false, w, true, shared);
            Tensor down = normals(b, 5, 2, 7);
            Tensor up = normals(b, 6, 6, 2);
            Tensor xa = b.empty("xa", Spec.f32(3, 5, 2));
            b.loraAcc(a, down, up, 0.5, xa, shared);
            Tensor turned = b.empty("turned", Spec.f32(3, 7, 6));
            b.matmul(a, true, y, false, turned);
            return List.of(y, shared, xa, turned);
        });
    }

    @Test void convolutionsAndAttentionAgreeWithTheReference() {
        agree(b -> {
            ConvSpec spec = ConvSpec.square(3, 2, 1);
            Tensor x = normals(b, 1, 2, 9, 7, 5);
            Tensor w = normals(b, 2, 6, 3, 3, 5);
            Tensor y = b.empty("y", Spec.f32(2, 5, 4, 6));
            b.conv2d(spec, x, w, normals(b, 3, 6), y);
            Tensor dx = b.empty("dx", x.spec());
            b.conv2dBackwardInput(spec, y, w, dx);
            Tensor dw = b.empty("dw", w.spec());
            b.conv2dBackwardWeight(spec, x, y, dw);
            AttentionSpec heads = new AttentionSpec(2, 0.4, true);
            Tensor q = normals(b, 4, 2, 13, 8);
            Tensor k = normals(b, 5, 2, 13, 8);
            Tensor v = normals(b, 6, 2, 13, 8);
            Tensor o = b.empty("o", q.spec());
            Tensor lse = b.empty("lse", Spec.f32(2, 2, 13));
            b.attention(heads, q, k, v, o, lse);
            Tensor delta = b.empty("delta", lse.spec());
            Tensor dq = b.empty("dq", q.spec());
            Tensor dk = b.empty("dk", k.spec());
            Tensor dv = b.empty("dv", v.spec());
            b.attentionBackward(heads, q, k, v, o, lse, v, delta, dq, dk, dv);
            return List.of(y, dx, dw, o, lse, dq, dk, dv);
        });
    }

    private static Tensor normals(Backend b, int seed, int... dims) {
        Shape shape = Shape.of(dims);
        return b.floats("x" + seed, shape, new RandomValues(seed).normal(shape.elements()));
    }

    private static void agree(Function<Backend, List<Tensor>> work) {
        try (CpuBackend cpu = backend(3); ReferenceBackend reference = new ReferenceBackend()) {
            List<Tensor> got = work.apply(cpu);
            List<Tensor> want = work.apply(reference);
            for (int i = 0; i < got.size(); i++) {
                Close.elements(got.get(i).name(), reference.toFloats(want.get(i)), cpu.toFloats(got.get(i)), 1e-5, 1e-5);
            }
        }
    }
}
