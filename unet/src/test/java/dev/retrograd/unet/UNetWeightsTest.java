package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Golden;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.unet.file.ModelFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UNetWeightsTest {
    private static final Path MODEL = Golden.path("ci-sd/model");

    @TempDir
    private Path folder;

    private static float[] predicted(StableDiffusion model) {
        Backend b = model.backend();
        try (Scope _ = b.memory().open("predict"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(tape.unrecorded(() -> predict(model, tape)).value());
        }
    }

    private static Var predict(StableDiffusion model, Tape tape) {
        Backend b = model.backend();
        float[] latent = new float[8 * 8 * 4];
        for (int i = 0; i < latent.length; i++) {
            latent[i] = (float) Math.sin(i);
        }
        return model.unet().forward(tape.constant(b.floats("x", Shape.of(1, 8, 8, 4), latent)), tape.constant(model.encodeText(model.tokenize(java.util.List.of("cat")))), 500);
    }

    @Test void theModelComputesWithThemUntilTheyAreClosed() throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, MODEL)) {
            long live = b.memory().liveBytes();
            float[] before = predicted(model);
            try (UNetWeights weights = new UNetWeights(model)) {
                assertArrayEquals(before, predicted(model), "they start as the model's own");
                Parameter out = weights.parameters().stream().filter(p -> p.name().equals("conv_out.bias")).findFirst().orElseThrow();
                b.fill(out.value(), 7);
                float[] moved = predicted(model);
                assertFalse(java.util.Arrays.equals(before, moved));
                assertArrayEquals(before, weights.withOwn(() -> predicted(model)));
                assertArrayEquals(moved, predicted(model));
            }
            assertArrayEquals(before, predicted(model));
            assertTrue(model.unetParameters().values().stream().noneMatch(Parameter::trainable));
            assertEquals(live, b.memory().liveBytes());
        }
    }

    @Test void everyOneGetsAGradient() throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, MODEL); UNetWeights weights = new UNetWeights(model); Gradients gradients = new Gradients(b);
                Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            tape.backward(predict(model, tape).apply(SumTo.all()), gradients);
            assertEquals(model.unetParameters().size(), weights.parameters().size());
            for (Parameter p : weights.parameters()) {
                Tensor g = gradients.of(p).orElseThrow(() -> new AssertionError(p.name() + " has no gradient"));
                assertEquals(p.spec(), g.spec(), p.name());
            }
        }
    }

    @Test void amongSixteenBitActivationsTheyAndTheirGradientsStayFloat32() throws IOException {
        try (PlanBackend b = new PlanBackend("cuda", 0, Precision.BF16); StableDiffusion model = StableDiffusion.shapes(b, ModelFiles.shapes(MODEL, ModelFiles.Options.NONE), ModelFiles.Options.NONE)) {
            Map<String, Spec> resting = new TreeMap<>();
            model.unetParameters().forEach((name, p) -> resting.put(name, p.spec()));
            assertEquals(DType.BF16, resting.get("conv_in.weight").dtype());
            try (UNetWeights weights = new UNetWeights(model); Gradients gradients = new Gradients(b); Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                Var text = tape.constant(b.empty("text", Spec.f32(1, 77, model.unet().config().contextChannels())));
                Var out = model.unet().forward(tape.constant(b.empty("x", Spec.f32(1, 8, 8, 4))), text, 500);
                tape.backward(out.apply(SumTo.all()), gradients);
                for (Parameter p : weights.parameters()) {
                    assertEquals(DType.F32, p.spec().dtype(), p.name());
                    assertEquals(p.spec(), gradients.of(p).orElseThrow().spec(), p.name());
                }
            }
            model.unetParameters().forEach((name, p) -> assertEquals(resting.get(name), p.spec(), name));
        }
    }

    @Test void aFileOfThemIsTheModelsOwn() throws IOException {
        Path file = folder.resolve("unet.safetensors");
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, MODEL); UNetWeights weights = new UNetWeights(model)) {
            weights.file("test").write(file);
        }
        try (SafeTensors own = SafeTensors.open(MODEL.resolve("unet/diffusion_pytorch_model.safetensors")); SafeTensors written = SafeTensors.open(file)) {
            assertEquals(own.names().stream().sorted().toList(), written.names().stream().sorted().toList());
            for (String name : own.names()) {
                assertEquals(own.shape(name), written.shape(name), name);
                assertArrayEquals(own.floats(name), written.floats(name), name);
            }
        }
    }

    @Test void aParameterTakesNoValueOfAnotherShape() {
        try (CpuBackend b = new CpuBackend(); Scope _ = b.memory().open("test"); Parameter p = new Parameter("w", b.zeros("w", Spec.f32(2, 3)), true)) {
            Tensor other = b.zeros("other", Spec.f32(3, 2));
            assertEquals("parameter 'w': its value must be [2,3], got [3,2]", assertThrows(ShapeException.class, () -> p.value(other)).getMessage());
            Tensor same = b.zeros("same", Spec.f32(2, 3));
            p.value(same);
            assertSame(same, p.value());
        }
    }
}
