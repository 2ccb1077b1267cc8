package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.core.testing.TorchCheckpoint;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.rewards.clip.HeadWeights;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.rewards.clip.PickScore;
import dev.retrograd.rewards.clip.TinyClip;
import dev.retrograd.rewards.owlvit.ConceptRemoval;
import dev.retrograd.rewards.owlvit.TinyOwlVit;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Damaged and hostile files of every reward model: one sentence that names the file, nothing executed, nothing left in memory.
class HostileWeightsTest {
    private static final int DAMAGED = 150;

    @TempDir Path folder;

    /// A reward and the file of its weights.
    enum Model {
        CLIP("model.safetensors"), CLIP_PYTORCH("pytorch_model.bin"), CLIP_SHARDED("model-2.safetensors"), CLIP_INDEX("model.safetensors.index.json"), CLIP_CONFIG("config.json"),
        PICKSCORE("model.safetensors"), HPS("model.safetensors"), AESTHETIC("aesthetic_head.safetensors"), AESTHETIC_PYTORCH("sac+logos+ava1-l14-linearMSE.pth"),
        FITTED("aesthetic_head.safetensors"), OWL_VIT("owl/model.safetensors"), OWL_VIT_CONFIG("owl/config.json");

        private final String file;

        Model(String file) {
            this.file = file;
        }

        Reward load(Backend b, Path folder) throws IOException {
            return switch (this) {
                case CLIP, CLIP_PYTORCH, CLIP_SHARDED, CLIP_INDEX, CLIP_CONFIG -> ClipSimilarity.load(b, folder);
                case PICKSCORE -> PickScore.load(b, folder);
                case HPS -> HumanPreferenceScore.load(b, folder, Optional.empty(), ClipPreprocessing.ALIGNPROP);
                case AESTHETIC, AESTHETIC_PYTORCH -> AestheticScore.load(b, folder, ClipPreprocessing.ALIGNPROP);
                case FITTED -> FittedReward.load(b, folder, folder.resolve(file));
                case OWL_VIT, OWL_VIT_CONFIG -> ConceptRemoval.load(b, folder.resolve("owl"), ClipTokenizer.load(folder), "cat");
            };
        }

        /// Leaves the folder with this file as the one that is read.
        void arrange(Path folder) throws IOException {
            switch (this) {
                case CLIP_PYTORCH -> checkpoint(folder, "model.safetensors", file);
                case AESTHETIC_PYTORCH -> checkpoint(folder, "aesthetic_head.safetensors", file);
                case CLIP_SHARDED, CLIP_INDEX -> {
                    Files.move(folder.resolve("model.safetensors"), folder.resolve("model-2.safetensors"));
                    StringBuilder map = new StringBuilder();
                    try (SafeTensors all = SafeTensors.open(folder.resolve("model-2.safetensors"))) {
                        for (String name : all.names()) {
                            map.append(map.isEmpty() ? "" : ", ").append("\"" + name + "\": \"model-2.safetensors\"");
                        }
                    }
                    Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\": {" + map + "}}");
                }
                case CLIP, CLIP_CONFIG, PICKSCORE, HPS, AESTHETIC, FITTED, OWL_VIT, OWL_VIT_CONFIG -> assertTrue(Files.exists(folder.resolve(file)));
            }
        }

        private static void checkpoint(Path folder, String from, String to) throws IOException {
            try (SafeTensors tensors = SafeTensors.open(folder.resolve(from))) {
                TorchCheckpoint.write(tensors, folder.resolve(to));
            }
            Files.delete(folder.resolve(from));
        }
    }

    @BeforeEach void writeModels() throws IOException {
        TinyClip.write(folder);
        TinyOwlVit.write(Files.createDirectory(folder.resolve("owl")));
        HeadWeights.random("laion", HeadWeights.Activation.NONE, 5, List.of(3), new RandomStream(4)).write(folder.resolve("aesthetic_head.safetensors"));
    }

    /// Whether the files still make a reward; if not, the message is checked.
    private boolean loads(Model model) {
        try (CpuBackend b = new CpuBackend()) {
            boolean loaded = false;
            try (Reward _ = model.load(b, folder)) {
                loaded = true;
            } catch (ModelFormatException e) {
                assertTrue(e.getMessage().lines().count() == 1 && e.getMessage().contains(": "), e.getMessage());
            } catch (IOException e) {
                throw new AssertionError(model + ": a damaged file must be refused as one", e);
            }
            assertEquals(0, b.memory().liveBytes(), model + " leaves nothing behind");
            return loaded;
        }
    }

    @ParameterizedTest @EnumSource void damageIsRefusedInOneSentence(Model model) throws IOException {
        model.arrange(folder);
        assertTrue(loads(model), "whole files load");
        Path file = folder.resolve(model.file);
        byte[] whole = Files.readAllBytes(file);
        int[] places = new RandomValues(3).ints(DAMAGED, whole.length);
        int[] early = new RandomValues(4).ints(DAMAGED, Math.min(whole.length, 512));
        int[] bits = new RandomValues(5).ints(DAMAGED, 8);
        int refused = 0;
        for (int i = 0; i < DAMAGED; i++) {
            byte[] damaged = i % 3 == 0 ? Arrays.copyOf(whole, places[i]) : whole.clone();
            if (i % 3 != 0) {
                damaged[i % 3 == 1 ? early[i] : places[i]] ^= (byte) (1 << bits[i]);
            }
            Files.write(file, damaged);
            refused += loads(model) ? 0 : 1;
        }
        assertTrue(refused >= DAMAGED / 3, "every truncation at least, got " + refused);
    }

    /// What a pickle of `os.system("touch …")` looks like, in a zip archive as torch writes it.
    @Test void aCheckpointThatWouldExecuteIsRefusedByName() throws IOException {
        Path touched = folder.resolve("touched");
        byte[] pickle = ("\u0080\u0002cposix\nsystem\nX" + (char) ("touch " + touched).length() + "\0\0\0touch " + touched + "\u0085R.").getBytes(StandardCharsets.ISO_8859_1);
        for (Model model : List.of(Model.CLIP_PYTORCH, Model.AESTHETIC_PYTORCH)) {
            model.arrange(folder);
            try (OutputStream out = Files.newOutputStream(folder.resolve(model.file)); ZipOutputStream zip = new ZipOutputStream(out)) {
                ZipEntry entry = new ZipEntry("archive/data.pkl");
                CRC32 crc = new CRC32();
                crc.update(pickle);
                entry.setMethod(ZipEntry.STORED);
                entry.setSize(pickle.length);
                entry.setCrc(crc.getValue());
                zip.putNextEntry(entry);
                zip.write(pickle);
            }
            try (CpuBackend b = new CpuBackend()) {
                String message = assertThrows(ModelFormatException.class, () -> model.load(b, folder)).getMessage();
                assertTrue(message.startsWith(folder.resolve(model.file) + ": ") && message.contains("posix"), message);
            }
            writeOver(model);
        }
        assertFalse(Files.exists(touched));
    }

    private void writeOver(Model model) throws IOException {
        Files.delete(folder.resolve(model.file));
        TinyClip.write(folder);
    }
}
