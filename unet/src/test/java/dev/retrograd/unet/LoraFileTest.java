package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class LoraFileTest {
    private static final String MODULE = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

    @TempDir
    private Path folder;

    private Path file() {
        return folder.resolve("lora.safetensors");
    }

    private SequencedMap<String, LoraFile.Update> written(SafeTensorsWriter writer) throws IOException {
        writer.write(file());
        return LoraFile.read(file(), OptionalDouble.empty());
    }

    /// A of ones `[2,3]`, B of twos `[4,2]`.
    private static SafeTensorsWriter pair(String a, String b) {
        return new SafeTensorsWriter().add(a, Shape.of(2, 3), 1, 1, 1, 1, 1, 1).add(b, Shape.of(4, 2), 2, 2, 2, 2, 2, 2, 2, 2);
    }

    @ParameterizedTest
    @CsvSource({
        "unet." + MODULE + ".lora_A.weight, unet." + MODULE + ".lora_B.weight",
        "unet." + MODULE + ".lora.down.weight, unet." + MODULE + ".lora.up.weight",
        MODULE + ".lora_A.default.weight, " + MODULE + ".lora_B.default.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight, unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight"})
    void readsEveryNaming(String a, String b) throws IOException {
        Map<String, LoraFile.Update> updates = written(pair(a, b));
        assertEquals(List.of(MODULE), List.copyOf(updates.keySet()));
        LoraFile.Update u = updates.get(MODULE);
        assertEquals(List.of(2, 3, 4), List.of(u.rank(), u.in(), u.out()));
        assertArrayEquals(new float[] {1, 1, 1, 1, 1, 1}, u.a());
        assertArrayEquals(new float[] {2, 2, 2, 2, 2, 2, 2, 2}, u.b());
        assertEquals(2, u.alpha(), "without a word about it, alpha is the rank");
    }

    @Test void oldProcessorsCallTheOutputProjectionToOut() throws IOException {
        assertEquals(List.of("x.attn1.to_out.0"), List.copyOf(written(pair("x.attn1.processor.to_out_lora.down.weight", "x.attn1.processor.to_out_lora.up.weight")).keySet()));
    }

    @Test void bothNamingsOfTheReferenceHoldTheSame() throws IOException {
        Map<String, LoraFile.Update> now = LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.empty());
        Map<String, LoraFile.Update> old = LoraFile.read(Golden.path("ci-alignprop/lora_old"), OptionalDouble.empty());
        assertEquals(80, now.size());
        assertEquals(now.keySet(), old.keySet());
        now.forEach((module, u) -> {
            assertArrayEquals(u.a(), old.get(module).a(), module);
            assertArrayEquals(u.b(), old.get(module).b(), module);
        });
    }

    @Test void alphaComesFromTheCallerThenTheFile() throws IOException {
        SafeTensorsWriter writer = pair("unet." + MODULE + ".lora_A.weight", "unet." + MODULE + ".lora_B.weight").add("unet." + MODULE + ".alpha", Shape.of(), 8);
        assertEquals(8, written(writer).get(MODULE).alpha());
        assertEquals(3, LoraFile.read(file(), OptionalDouble.of(3)).get(MODULE).alpha());
    }

    @ParameterizedTest
    @EnumSource
    void writingFoldsAlphaIntoB(LoraFile.Naming naming) throws IOException {
        LoraFile.Update update = new LoraFile.Update(1, 2, 1, new float[] {5, 6}, new float[] {7}, 4, false);
        LoraFile.write(file(), Map.of("a.to_q", update), naming);
        LoraFile.Update again = LoraFile.read(file(), OptionalDouble.empty()).get("a.to_q");
        assertEquals(1, again.alpha());
        assertArrayEquals(update.a(), again.a());
        assertArrayEquals(new float[] {28}, again.b());
    }

    @Test void updatesOfPointwiseConvolutionsKeepTheirFourAxes() throws IOException {
        LoraFile.write(file(), Map.of("a.proj_in", new LoraFile.Update(1, 2, 3, new float[] {5, 6}, new float[] {7, 8, 9}, 1, true)), LoraFile.Naming.PEFT);
        try (SafeTensors tensors = SafeTensors.open(file())) {
            assertEquals(Shape.of(1, 2, 1, 1), tensors.spec("unet.a.proj_in.lora_A.weight").shape());
            assertEquals(Shape.of(3, 1, 1, 1), tensors.spec("unet.a.proj_in.lora_B.weight").shape());
        }
        LoraFile.Update again = LoraFile.read(file(), OptionalDouble.empty()).get("a.proj_in");
        assertTrue(again.pointwise());
        assertEquals(List.of(1, 2, 3), List.of(again.rank(), again.in(), again.out()));
    }

    private void assertRefused(String message, SafeTensorsWriter writer) {
        assertEquals(file() + ": " + message, assertThrows(ModelFormatException.class, () -> written(writer)).getMessage());
    }

    @Test void refusesWhatIsNoUpdate() {
        assertRefused("holds no LoRA tensors, such as unet.….to_q.lora_A.weight", new SafeTensorsWriter());
        assertRefused("'conv_in.weight' is not a LoRA tensor of a linear layer of the UNet in diffusers or peft naming", new SafeTensorsWriter().add("conv_in.weight", Shape.of(1), 1));
        assertRefused("'text_encoder.q.lora_A.weight' adapts the text encoder; only UNet updates are supported",
                new SafeTensorsWriter().add("text_encoder.q.lora_A.weight", Shape.of(1, 1), 1));
        assertRefused("module 'to_q' must have both matrices, but B (up) is missing", new SafeTensorsWriter().add("unet.to_q.lora_A.weight", Shape.of(1, 1), 1));
        assertRefused("module 'to_q' must have both matrices, but A (down) is missing", new SafeTensorsWriter().add("unet.to_q.lora_B.weight", Shape.of(1, 1), 1));
        assertRefused("module 'to_q' must have A [rank,in] and B [out,rank], got [2,1] and [1,1]",
                new SafeTensorsWriter().add("unet.to_q.lora_A.weight", Shape.of(2, 1), 1, 1).add("unet.to_q.lora_B.weight", Shape.of(1, 1), 1));
        assertRefused("tensor 'unet.to_q.lora_A.weight' must be finite, got NaN at element 0",
                new SafeTensorsWriter().add("unet.to_q.lora_A.weight", Shape.of(1, 1), Float.NaN).add("unet.to_q.lora_B.weight", Shape.of(1, 1), 1));
        assertRefused("'unet.to_q.lora_A.weight' and 'unet.to_q.lora.down.weight' are the same matrix of one module",
                new SafeTensorsWriter().add("unet.to_q.lora_A.weight", Shape.of(1, 1), 1).add("unet.to_q.lora.down.weight", Shape.of(1, 1), 1));
    }

    @Test void attachesToTheLayersOfAModelAndComesOffAgain() throws IOException {
        try (CpuBackend b = new CpuBackend(CpuBackend.Options.defaults().withThreads(1)); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"))) {
            long before = b.memory().liveBytes();
            SequencedMap<String, LoraFile.Update> updates = LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.of(8));
            try (LoraWeights lora = LoraWeights.of(b, model.unet(), updates, 0.5)) {
                assertEquals(31_744, lora.elements());
                assertTrue(lora.byModule().values().stream().allMatch(l -> l.scale() == 8.0 / 4 * 0.5));
                assertEquals(updates.keySet(), lora.updates(b).keySet());
                assertFalse(before == b.memory().liveBytes());
            }
            assertEquals(before, b.memory().liveBytes());
            LoraConfig everything = new LoraConfig(2, 2, List.of("ff.net.0.proj", "ff.net.2", "proj_in", "time_emb_proj", "linear_1"));
            try (LoraWeights lora = LoraWeights.fresh(b, model.unet(), everything, 1)) {
                String projection = "mid_block.attentions.0.proj_in";
                assertTrue(lora.updates(b).get(projection).pointwise());
                assertEquals(Shape.of(2, 64, 1, 1), lora.byModule().get(projection).a().fileShape());
                assertFalse(lora.updates(b).get("time_embedding.linear_1").pointwise());
            }
            IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> LoraWeights.fresh(b, model.unet(), new LoraConfig(2, 2, List.of("to_z")), 1));
            assertTrue(e.getMessage().startsWith("lora targets: 'to_z' names no linear layer of this UNet"), e.getMessage());
            assertThrows(IllegalArgumentException.class, () -> LoraWeights.of(b, model.unet(),
                    new LinkedHashMap<>(Map.of("conv_in", updates.firstEntry().getValue())), 1));
            assertEquals(before, b.memory().liveBytes());
        }
    }
}
