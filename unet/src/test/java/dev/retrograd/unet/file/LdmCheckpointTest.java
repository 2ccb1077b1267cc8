package dev.retrograd.unet.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.core.testing.TorchCheckpoint;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Single files against diffusers folders of the same weights.
class LdmCheckpointTest {
    private static TinyModel first;

    @TempDir
    private Path scratch;

    @BeforeAll static void build() throws IOException {
        first = new TinyModel(false);
    }

    /// What the three networks compute, bit for bit.
    private record Outputs(float[] context, float[] noise, float[] image, float[] moments) {
        static Outputs of(StableDiffusion model) throws IOException {
            CpuBackend b = (CpuBackend) model.backend();
            RandomValues random = new RandomValues(3);
            try (Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                int[][] ids = model.tokenize(List.of("a fox, oil on canvas"));
                return tape.unrecorded(() -> {
                    var context = model.encodeText(ids);
                    var latent = tape.constant(b.floats("latent", Shape.of(1, 8, 8, 4), random.normal(256)));
                    var noise = model.unet().forward(latent, tape.constant(context), 500);
                    var image = model.vaeDecoder().forward(latent);
                    return new Outputs(b.toFloats(context), b.toFloats(noise.value()), b.toFloats(image.value()), encoded(model, tape, b, random));
                });
            }
        }

        private static float[] encoded(StableDiffusion model, Tape tape, CpuBackend b, RandomValues random) {
            try {
                return b.toFloats(model.loadVaeEncoder().forward(tape.constant(b.floats("image", Shape.of(1, 16, 16, 3), random.normal(768)))).value());
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        void requireEqual(Outputs other) {
            assertArrayEquals(context, other.context, "text encoder");
            assertArrayEquals(noise, other.noise, "UNet");
            assertArrayEquals(image, other.image, "VAE decoder");
            assertArrayEquals(moments, other.moments, "VAE encoder");
        }
    }

    private static Outputs outputs(Path model) throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion loaded = StableDiffusion.load(b, model)) {
            return Outputs.of(loaded);
        }
    }

    @Test void aCheckpointComputesWhatItsDiffusersFolderDoes() throws IOException {
        Path safetensors = TinyModel.write(scratch.resolve("model.safetensors"), first.checkpoint());
        Outputs expected = outputs(first.folder(scratch.resolve("folder")));
        outputs(safetensors).requireEqual(expected);
        try (SafeTensors tensors = SafeTensors.open(safetensors)) {
            outputs(TorchCheckpoint.write(tensors, scratch.resolve("model.ckpt"))).requireEqual(expected);
        }
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, safetensors)) {
            assertEquals(List.of(), model.notes());
            assertEquals(512, model.imageSize());
            assertEquals(List.of(8, 8, 8, 8), model.unet().config().heads());
        }
    }

    @Test void secondGenerationsHaveOpenClipAndPredictVelocity() throws IOException {
        TinyModel second = new TinyModel(true);
        Path single = TinyModel.write(scratch.resolve("v2.safetensors"), second.checkpoint());
        outputs(single).requireEqual(outputs(second.folder(scratch.resolve("folder"))));
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, single)) {
            UNetConfig c = model.unet().config();
            assertTrue(c.linearProjection());
            assertEquals(List.of(1, 1, 1, 1), c.heads());
            assertEquals(NoiseSchedule.Prediction.V, model.schedule().prediction());
            assertEquals(768, model.imageSize());
            assertTrue(model.notes().getFirst().contains("--prediction-type epsilon"), model.notes().toString());
        }
        ModelFiles.Options noise = new ModelFiles.Options(Optional.empty(), Optional.of("epsilon"), 0);
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, single, noise)) {
            assertEquals(NoiseSchedule.Prediction.EPSILON, model.schedule().prediction());
            assertEquals(512, model.imageSize());
        }
    }

    private static void average(Map<String, TinyModel.Values> checkpoint, float factor, int leaveOut) {
        int i = 0;
        for (Map.Entry<String, TinyModel.Values> e : List.copyOf(checkpoint.entrySet())) {
            if (e.getKey().startsWith("model.diffusion_model.") && i++ >= leaveOut) {
                float[] values = e.getValue().values().clone();
                for (int j = 0; j < values.length; j++) {
                    values[j] *= factor;
                }
                checkpoint.put("model_ema." + e.getKey().substring("model.".length()).replace(".", ""), new TinyModel.Values(e.getValue().shape(), values));
            }
        }
    }

    @Test void theMovingAverageIsPreferredAndSaidSo() throws IOException {
        Map<String, TinyModel.Values> checkpoint = first.checkpoint();
        average(checkpoint, 0.5f, 0);
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, TinyModel.write(scratch.resolve("ema.safetensors"), checkpoint))) {
            assertEquals(first.unet.get("conv_in.bias").values()[1] / 2, b.toFloats(model.unetParameters().get("conv_in.bias").value())[1]);
            assertEquals(List.of("the UNet's moving average (model_ema.…) is used, not its last weights"), model.notes());
        }
    }

    @Test void halfAMovingAverageIsNotUsedAndSaidSo() throws IOException {
        Map<String, TinyModel.Values> checkpoint = first.checkpoint();
        average(checkpoint, 0.5f, 2);
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, TinyModel.write(scratch.resolve("ema.safetensors"), checkpoint))) {
            assertEquals(first.unet.get("conv_in.bias").values()[1], b.toFloats(model.unetParameters().get("conv_in.bias").value())[1]);
            assertTrue(model.notes().getFirst().contains("tensors only, so the last weights are used"), model.notes().toString());
        }
    }

    private String refusal(Map<String, TinyModel.Values> tensors) throws IOException {
        Path file = TinyModel.write(scratch.resolve("x.safetensors"), tensors);
        try (CpuBackend b = new CpuBackend()) {
            String message = assertThrows(ModelFormatException.class, () -> StableDiffusion.load(b, file)).getMessage();
            assertEquals(0, b.memory().liveBytes(), "nothing is left loaded");
            assertTrue(message.startsWith(file + ": "), message);
            return message.substring(file.toString().length() + 2);
        }
    }

    @ParameterizedTest
    @CsvSource({"conditioner.embedders.1.model.ln_final.bias, is Stable Diffusion XL", "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight, is Stable Diffusion 3",
        "double_blocks.0.img_attn.qkv.weight, is Flux", "control_model.zero_convs.0.0.weight, is a ControlNet",
        "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight, 'is a LoRA, which goes to --lora'"})
    void otherModelsAreRefusedInOneSentenceThatNamesThem(String tensor, String name) throws IOException {
        assertTrue(refusal(Map.of(tensor, new TinyModel.Values(Shape.of(2), 1, 2))).startsWith(name));
    }

    @ParameterizedTest @ValueSource(ints = {9, 8, 5})
    void unetsWithMoreInputsAreRefusedByTheirKind(int channels) throws IOException {
        Map<String, TinyModel.Values> checkpoint = first.checkpoint();
        checkpoint.put("model.diffusion_model.input_blocks.0.0.weight", new TinyModel.Values(Shape.of(32, channels, 3, 3), new float[32 * channels * 9]));
        String message = refusal(checkpoint);
        assertTrue(message.contains("takes " + channels + " channels") && message.endsWith("only text-to-image models of Stable Diffusion 1.x and 2.x are supported"), message);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"first_stage_model.|a checkpoint of Stable Diffusion 1.x or 2.x has a VAE", "cond_stage_model.|has a text encoder", "model.diffusion_model.|has a UNet",
        "model.diffusion_model.out.2.weight|…out.2.weight", "model.diffusion_model.middle_block.0.in_layers.2.weight|'mid_block.resnets.0.conv1.weight' is missing",
        "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight|fc1.weight", "first_stage_model.decoder.up.0.block.0.conv1.weight|tensor"})
    void partsThatAreMissingAreNamed(String prefix, String expected) throws IOException {
        Map<String, TinyModel.Values> checkpoint = first.checkpoint();
        assertTrue(checkpoint.keySet().removeIf(n -> n.startsWith(prefix)));
        String message = refusal(checkpoint);
        assertTrue(message.contains(expected), message);
    }

    @Test void tensorsThatNoNetworkHasAreRefusedInsideAndNotedOutside() throws IOException {
        Map<String, TinyModel.Values> checkpoint = new TreeMap<>(first.checkpoint());
        checkpoint.put("model.diffusion_model.input_blocks.1.1.extra.weight", new TinyModel.Values(Shape.of(1), 1));
        assertTrue(refusal(checkpoint).contains("down_blocks.0.attentions.0.extra.weight"));
        checkpoint.remove("model.diffusion_model.input_blocks.1.1.extra.weight");
        checkpoint.put("someone.elses", new TinyModel.Values(Shape.of(1), 1));
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, TinyModel.write(scratch.resolve("y.safetensors"), checkpoint))) {
            assertEquals(List.of("1 tensors are not part of the model and are not read: someone.elses"), model.notes());
        }
    }

    @Test void truncatedFilesAreRefused() throws IOException {
        byte[] whole = Files.readAllBytes(TinyModel.write(scratch.resolve("whole.safetensors"), first.checkpoint()));
        for (int length : new int[] {0, 7, 100, whole.length / 2, whole.length - 1}) {
            Path cut = Files.write(scratch.resolve("cut" + length + ".safetensors"), java.util.Arrays.copyOf(whole, length));
            try (CpuBackend b = new CpuBackend()) {
                assertTrue(assertThrows(ModelFormatException.class, () -> StableDiffusion.load(b, cut)).getMessage().startsWith(cut.toString()));
            }
        }
    }

    @Test void foldersOfOtherPipelinesAreRefusedByName() throws IOException {
        Files.writeString(scratch.resolve("model_index.json"), "{\"_class_name\": \"StableDiffusionXLPipeline\"}");
        try (CpuBackend b = new CpuBackend()) {
            String message = assertThrows(ModelFormatException.class, () -> StableDiffusion.load(b, scratch)).getMessage();
            assertEquals(scratch + ": is Stable Diffusion XL (StableDiffusionXLPipeline); only text-to-image models of Stable Diffusion 1.x and 2.x are supported", message);
        }
        assertFalse(Files.exists(scratch.resolve("unet")));
    }
}
