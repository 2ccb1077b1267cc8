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
import java.util.Set;
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
    @EnumSource(names = {"PEFT", "DIFFUSERS"})
    void writingFoldsAlphaIntoB(LoraFile.Naming naming) throws IOException {
        LoraFile.Update update = new LoraFile.Update(1, 2, 1, new float[] {5, 6}, new float[] {7}, 4, 0);
        LoraFile.write(file(), Map.of("a.to_q", update), naming);
        LoraFile.Update again = LoraFile.read(file(), OptionalDouble.empty()).get("a.to_q");
        assertEquals(1, again.alpha());
        assertArrayEquals(update.a(), again.a());
        assertArrayEquals(new float[] {28}, again.b());
    }

    @Test void updatesOfPointwiseConvolutionsKeepTheirFourAxes() throws IOException {
        LoraFile.write(file(), Map.of("a.proj_in", new LoraFile.Update(1, 2, 3, new float[] {5, 6}, new float[] {7, 8, 9}, 1, 1)), LoraFile.Naming.PEFT);
        try (SafeTensors tensors = SafeTensors.open(file())) {
            assertEquals(Shape.of(1, 2, 1, 1), tensors.spec("unet.a.proj_in.lora_A.weight").shape());
            assertEquals(Shape.of(3, 1, 1, 1), tensors.spec("unet.a.proj_in.lora_B.weight").shape());
        }
        LoraFile.Update again = LoraFile.read(file(), OptionalDouble.empty()).get("a.proj_in");
        assertEquals(1, again.kernel());
        assertEquals(List.of(1, 2, 3), List.of(again.rank(), again.in(), again.out()));
    }

    /// As kohya-ss/sd-scripts names them; a convolution's B is 1×1, and α stands beside.
    @ParameterizedTest
    @CsvSource({"down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0, 0, lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_out_0",
        "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj, 0, lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_ff_net_0_proj",
        "mid_block.attentions.0.proj_in, 1, lora_unet_mid_block_attentions_0_proj_in", "down_blocks.0.resnets.0.conv_shortcut, 1, lora_unet_down_blocks_0_resnets_0_conv_shortcut",
        "down_blocks.0.downsamplers.0.conv, 3, lora_unet_down_blocks_0_downsamplers_0_conv", "conv_in, 3, lora_unet_conv_in",
        "up_blocks.1.resnets.2.time_emb_proj, 0, lora_unet_up_blocks_1_resnets_2_time_emb_proj", "time_embedding.linear_1, 0, lora_unet_time_embedding_linear_1",
        "text_encoder.text_model.encoder.layers.11.self_attn.q_proj, 0, lora_te_text_model_encoder_layers_11_self_attn_q_proj",
        "text_encoder.text_model.encoder.layers.0.mlp.fc2, 0, lora_te_text_model_encoder_layers_0_mlp_fc2"})
    void kohyasNamesAreThoseOfItsScripts(String module, int kernel, String stem) throws IOException {
        float[] a = new float[Math.max(1, kernel * kernel) * 4];
        for (int i = 0; i < a.length; i++) {
            a[i] = i;
        }
        LoraFile.Update update = new LoraFile.Update(2, 2, 3, a, new float[] {1, 2, 3, 4, 5, 6}, 0.5, kernel);
        LoraFile.write(file(), Map.of(module, update), LoraFile.Naming.KOHYA);
        try (SafeTensors tensors = SafeTensors.open(file())) {
            assertEquals(Set.of(stem + ".lora_down.weight", stem + ".lora_up.weight", stem + ".alpha"), tensors.names());
            assertEquals(kernel == 0 ? Shape.of(2, 2) : Shape.of(2, 2, kernel, kernel), tensors.spec(stem + ".lora_down.weight").shape());
            assertEquals(kernel == 0 ? Shape.of(3, 2) : Shape.of(3, 2, 1, 1), tensors.spec(stem + ".lora_up.weight").shape());
            assertArrayEquals(new float[] {0.5f}, tensors.floats(stem + ".alpha"));
            assertEquals("networks.lora", tensors.metadata().get("ss_network_module"));
            assertEquals("2", tensors.metadata().get("ss_network_dim"));
        }
        for (LoraFile.Naming naming : LoraFile.Naming.values()) {
            LoraFile.write(file(), Map.of(module, update), naming);
            Map<String, LoraFile.Update> again = LoraFile.read(file(), OptionalDouble.empty());
            assertEquals(Set.of(module), again.keySet(), naming.name());
            LoraFile.Update u = again.get(module);
            assertEquals(kernel, u.kernel());
            assertArrayEquals(a, u.a());
            assertEquals(6 * 0.5 / 2, u.b()[5] * u.alpha() / u.rank(), 1e-9, naming.name());
        }
    }

    /// What diffusers' `load_lora_weights` was seen to load, `lora` and `lora_old`: the same names, shapes, types and values from what is trained here.
    @ParameterizedTest
    @CsvSource({"PEFT, ci-alignprop/lora", "DIFFUSERS, ci-alignprop/lora_old"})
    void filesAreThoseThatDiffusersLoads(LoraFile.Naming naming, String reference) throws IOException {
        try (CpuBackend b = new CpuBackend(CpuBackend.Options.defaults().withThreads(1)); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"));
                SafeTensors upstream = SafeTensors.open(Golden.path(reference).resolve(LoraFile.NAME));
                LoraWeights loaded = LoraWeights.of(b, model.unet(), LoraFile.read(Golden.path(reference), OptionalDouble.empty()), 1);
                LoraWeights fresh = LoraWeights.fresh(b, model.unet(), new LoraConfig(4, 4, LoraConfig.ATTENTION), 1)) {
            LoraFile.write(file(), fresh.updates(b), naming);
            try (SafeTensors ours = SafeTensors.open(file())) {
                assertEquals(upstream.names(), ours.names());
                for (String name : upstream.names()) {
                    assertEquals(upstream.spec(name), ours.spec(name), name);
                }
            }
            LoraFile.write(file(), loaded.updates(b), naming);
            try (SafeTensors ours = SafeTensors.open(file())) {
                for (String name : upstream.names()) {
                    assertArrayEquals(upstream.floats(name), ours.floats(name), name);
                }
            }
        }
    }

    /// The same LoRA for kohya's loaders: every module of the reference under its name there, in two matrices and a scalar α by which a loader gets the same update.
    @Test void kohyasFileOfTheReferenceGivesTheSameUpdates() throws IOException {
        Map<String, LoraFile.Update> reference = LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.of(2));
        LoraFile.write(file(), reference, LoraFile.Naming.KOHYA);
        try (SafeTensors ours = SafeTensors.open(file())) {
            assertEquals(3 * 80, ours.names().size());
            for (Map.Entry<String, LoraFile.Update> e : reference.entrySet()) {
                String stem = "lora_unet_" + e.getKey().replace('.', '_');
                LoraFile.Update u = e.getValue();
                assertEquals(Shape.of(4, u.in()), ours.spec(stem + ".lora_down.weight").shape(), stem);
                assertEquals(Shape.of(u.out(), 4), ours.spec(stem + ".lora_up.weight").shape(), stem);
                assertEquals(Shape.of(), ours.spec(stem + ".alpha").shape(), stem);
                assertArrayEquals(new float[] {2}, ours.floats(stem + ".alpha"), "a loader scales by alpha/rank = 2/4");
                assertArrayEquals(u.a(), ours.floats(stem + ".lora_down.weight"), stem);
                assertArrayEquals(u.b(), ours.floats(stem + ".lora_up.weight"), stem);
            }
        }
    }

    private void assertRefused(String message, SafeTensorsWriter writer) {
        assertEquals(file() + ": " + message, assertThrows(ModelFormatException.class, () -> written(writer)).getMessage());
    }

    @Test void refusesWhatIsNoUpdate() {
        assertRefused("holds no LoRA tensors, such as unet.….to_q.lora_A.weight", new SafeTensorsWriter());
        assertRefused("'conv_in.weight' is not a LoRA tensor of a UNet or text encoder in diffusers', peft's or kohya's naming", new SafeTensorsWriter().add("conv_in.weight", Shape.of(1), 1));
        assertRefused("'lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha' is of a LoRA for Stable Diffusion XL, which is not supported",
                new SafeTensorsWriter().add("lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha", Shape.of(), 1));
        assertRefused("'lora_unet_conv_in.hada_w1_a' is not LoRA but another method of adaptation (hada_w1_a), which is not supported",
                new SafeTensorsWriter().add("lora_unet_conv_in.hada_w1_a", Shape.of(1), 1));
        assertRefused("module 'to_q' must have both matrices, but B (up) is missing", new SafeTensorsWriter().add("unet.to_q.lora_A.weight", Shape.of(1, 1), 1));
        assertRefused("module 'to_q' must have both matrices, but A (down) is missing", new SafeTensorsWriter().add("unet.to_q.lora_B.weight", Shape.of(1, 1), 1));
        assertRefused("module 'to_q' must have A [rank,in] and B [out,rank], or those of a convolution, got [2,1] and [1,1]",
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
                assertEquals(1, lora.updates(b).get(projection).kernel());
                assertEquals(Shape.of(2, 64, 1, 1), lora.byModule().get(projection).a().fileShape());
                assertEquals(0, lora.updates(b).get("time_embedding.linear_1").kernel());
            }
            Map<String, Integer> kernels = new LinkedHashMap<>();
            model.unet().adaptable().forEach(l -> kernels.put(l.name(), l.kernel()));
            try (LoraWeights linear = LoraWeights.fresh(b, model.unet(), new LoraConfig(1, 1, List.of("all-linear")), 1);
                    LoraWeights conv = LoraWeights.fresh(b, model.unet(), new LoraConfig(2, 2, List.of("conv")), 1)) {
                assertEquals(kernels.keySet().stream().filter(m -> kernels.get(m) == 0).toList(), List.copyOf(linear.byModule().keySet()));
                assertEquals(Set.copyOf(kernels.keySet().stream().filter(m -> kernels.get(m) > 0).toList()), conv.byModule().keySet());
                assertTrue(conv.byModule().keySet().containsAll(Set.of("conv_in", "down_blocks.0.downsamplers.0.conv", "mid_block.attentions.0.proj_out", "up_blocks.0.resnets.0.conv_shortcut")));
                assertEquals(Shape.of(2, 4, 3, 3), conv.byModule().get("conv_in").a().fileShape());
                LoraFile.write(file(), conv.updates(b), LoraFile.Naming.PEFT);
                try (LoraWeights again = LoraWeights.of(b, model.unet(), LoraFile.read(file(), OptionalDouble.empty()), 1)) {
                    String module = "up_blocks.0.resnets.0.conv1";
                    assertArrayEquals(b.toFloats(conv.byModule().get(module).a().value()), b.toFloats(again.byModule().get(module).a().value()));
                }
            }
            String query = "text_encoder.text_model.encoder.layers.1.self_attn.q_proj";
            SequencedMap<String, LoraFile.Update> text = new LinkedHashMap<>(Map.of(query, new LoraFile.Update(1, 16, 16, new float[16], new float[16], 1, 0)));
            try (LoraWeights lora = LoraWeights.of(model, text, 1)) {
                assertEquals(Set.of(query), lora.byModule().keySet());
            }
            assertTrue(assertThrows(IllegalArgumentException.class, () -> LoraWeights.of(b, model.unet(), text, 1)).getMessage().contains("'" + query + "' adapts the text encoder"));
            IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> LoraWeights.fresh(b, model.unet(), new LoraConfig(2, 2, List.of("to_z")), 1));
            assertTrue(e.getMessage().startsWith("lora targets: 'to_z' names no layer of this UNet"), e.getMessage());
            assertThrows(IllegalArgumentException.class, () -> LoraWeights.of(b, model.unet(),
                    new LinkedHashMap<>(Map.of("conv_in", updates.firstEntry().getValue())), 1));
            assertEquals(before, b.memory().liveBytes());
        }
    }
}
