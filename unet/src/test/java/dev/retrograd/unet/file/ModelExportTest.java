package dev.retrograd.unet.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Models written as folders and single files, with and without LoRAs merged into them.
class ModelExportTest {
    @TempDir
    private Path scratch;

    private static Map<String, float[]> tensors(Path file) throws IOException {
        Map<String, float[]> all = new LinkedHashMap<>();
        try (SafeTensors tensors = SafeTensors.open(file)) {
            for (String name : tensors.names()) {
                all.put(name, tensors.floats(name));
            }
        }
        return all;
    }

    /// What a checkpoint must be called is worked out apart ({@link TinyModel}); coming back gives the folder's bytes.
    @ParameterizedTest @ValueSource(booleans = {false, true})
    void foldersAndSingleFilesTurnIntoEachOther(boolean second) throws IOException {
        TinyModel model = new TinyModel(second);
        Path folder = model.folder(scratch.resolve("folder"));
        Path single = scratch.resolve("single.safetensors");
        try (ModelFiles files = ModelFiles.open(folder, ModelFiles.Options.NONE)) {
            new ModelExport(files, List.of(), Optional.empty()).file(single);
        }
        Map<String, float[]> written = tensors(single);
        model.checkpoint().forEach((name, v) -> {
            boolean elsewhere = name.equals("betas") || name.endsWith("position_ids") || name.contains("text_projection") || name.contains("logit_scale") || name.contains("resblocks.2.");
            assertEquals(!elsewhere || name.contains("resblocks.2."), written.containsKey(name), name);
            if (!elsewhere) {
                assertArrayEquals(v.values(), written.get(name), name);
            }
        });
        Path back = scratch.resolve("back");
        try (ModelFiles files = ModelFiles.open(single, ModelFiles.Options.NONE)) {
            new ModelExport(files, List.of(), Optional.empty()).folder(back);
        }
        for (String part : List.of("unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")) {
            Map<String, float[]> before = tensors(folder.resolve(part));
            Map<String, float[]> after = tensors(back.resolve(part));
            assertEquals(before.keySet(), after.keySet());
            before.forEach((name, values) -> assertArrayEquals(values, after.get(name), name));
        }
        assertTrue(Files.readString(back.resolve("scheduler/scheduler_config.json")).contains(second ? "v_prediction" : "epsilon"));
        assertTrue(Files.readString(back.resolve("tokenizer/tokenizer_config.json")).contains(second ? "\"pad_token\": \"!\"" : "\"pad_token\": \"<|endoftext|>\""));
        try (CpuBackend b = new CpuBackend(); StableDiffusion loaded = StableDiffusion.load(b, back)) {
            assertEquals(second ? 0 : 49_407, loaded.tokenize(List.of("x"))[0][76]);
        }
    }

    private static float[] noise(StableDiffusion model) {
        CpuBackend b = (CpuBackend) model.backend();
        RandomValues random = new RandomValues(5);
        try (Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            return tape.unrecorded(() -> b.toFloats(model.unet().forward(tape.constant(b.floats("latent", Shape.of(1, 8, 8, 4), random.normal(256))),
                    tape.constant(model.encodeText(model.tokenize(List.of("a fox")))), 500).value()));
        }
    }

    /// Random B as well, on the UNet's linear layers and convolutions and on the text encoder.
    private static SequencedMap<String, LoraFile.Update> updates(CpuBackend b, StableDiffusion model) {
        SequencedMap<String, LoraFile.Update> all = new LinkedHashMap<>();
        try (LoraWeights lora = LoraWeights.fresh(b, model.unet(), new LoraConfig(2, 1, List.of("attention", "conv", "ff.net.2")), 4)) {
            lora.updates(b).forEach((module, u) -> {
                float[] up = new RandomValues(module.hashCode()).normal(u.b().length);
                for (int i = 0; i < up.length; i++) {
                    up[i] *= 0.05f;
                }
                all.put(module, new LoraFile.Update(u.rank(), u.in(), u.out(), u.a(), up, u.alpha(), u.kernel()));
            });
        }
        all.put("text_encoder.text_model.encoder.layers.0.mlp.fc1", new LoraFile.Update(1, 32, 48, new RandomValues(1).normal(32), new RandomValues(2).normal(48), 1, 0));
        return all;
    }

    @Test void mergedLorasDoWhatAttachedOnesDo() throws IOException {
        Path folder = new TinyModel(false).folder(scratch.resolve("folder"));
        float[] attached;
        float[] bare;
        SequencedMap<String, LoraFile.Update> updates;
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, folder)) {
            updates = updates(b, model);
            bare = noise(model);
            try (LoraWeights _ = LoraWeights.of(model, updates, 0.75); LoraWeights _ = LoraWeights.of(model, updates, -0.25)) {
                attached = noise(model);
            }
            assertArrayEquals(bare, noise(model), "LoRAs come off again");
        }
        Path merged = scratch.resolve("merged");
        Path single = scratch.resolve("merged.safetensors");
        try (ModelFiles files = ModelFiles.open(folder, ModelFiles.Options.NONE)) {
            ModelExport export = new ModelExport(files, List.of(new ModelExport.Merge(updates, 0.75), new ModelExport.Merge(updates, -0.25)), Optional.empty());
            export.folder(merged);
            export.file(single);
            new ModelExport(files, List.of(), Optional.of(DType.F16)).file(scratch.resolve("half.safetensors"));
        }
        assertTrue(distance(attached, bare) > 0.05, "the updates matter, got " + distance(attached, bare));
        for (Path path : List.of(merged, single)) {
            try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, path)) {
                Close.relativeL2(path.toString(), Close.widened(attached), Close.widened(noise(model)), 2e-5);
            }
        }
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, scratch.resolve("half.safetensors"))) {
            assertEquals(DType.F16, model.unetParameters().get("conv_in.weight").spec().dtype());
            Close.relativeL2("half", Close.widened(bare), Close.widened(noise(model)), 1e-2);
        }
        try (ModelFiles files = ModelFiles.open(folder, ModelFiles.Options.NONE)) {
            SequencedMap<String, LoraFile.Update> other = new LinkedHashMap<>(Map.of("conv_in", updates.get("conv_out")));
            assertTrue(assertThrows(IllegalArgumentException.class, () -> new ModelExport(files, List.of(new ModelExport.Merge(other, 1)), Optional.empty())).getMessage().startsWith("lora: 'conv_in' must fit"));
        }
    }

    private static double distance(float[] a, float[] b) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < a.length; i++) {
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            size += b[i] * b[i];
        }
        return Math.sqrt(difference / size);
    }
}
