package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.ClipModel;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PretrainingTest {
    private static final List<String> ALL = Pretraining.stages();

    @TempDir Path folder;

    private static boolean run(Recipe recipe, Path folder, List<String> stages, int stopAfter) throws IOException {
        int[] asked = {0};
        try (Backend b = new CpuBackend()) {
            return new Pretraining(b, recipe, folder, _ -> { }, () -> ++asked[0] >= stopAfter).run(stages);
        }
    }

    private static byte[] bytes(Path root, String file) throws IOException {
        return Files.readAllBytes(root.resolve(file));
    }

    /// Every stage is stopped after its first update in one folder, and runs through in the other.
    @Test void aStoppedRunGoesOnToTheSameBytesAndItsFoldersLoad() throws IOException {
        // The preference stage makes half as many updates as the others: two here.
        Recipe recipe = Recipe.rehearsal(4, 2);
        Path whole = folder.resolve("whole");
        Path resumed = folder.resolve("resumed");
        assertTrue(run(recipe, whole, ALL, Integer.MAX_VALUE));
        for (int stage = 0; stage < ALL.size() - 1; stage++) {
            assertFalse(run(recipe, resumed, ALL, 1), "stage " + stage);
            assertTrue(run(recipe, resumed, ALL.subList(0, stage + 1), Integer.MAX_VALUE));
        }
        for (String file : List.of("model/vae/diffusion_pytorch_model.safetensors", "model/text_encoder/model.safetensors",
                "model/unet/diffusion_pytorch_model.safetensors", "clip/model.safetensors", "judge/model.safetensors", "model/vae/config.json", "clip/aesthetic_head.safetensors",
                "preference/model.safetensors")) {
            assertArrayEquals(bytes(whole, file), bytes(resumed, file), file);
        }
        loads(whole);
        assertEquals(Files.readString(whole.resolve("losses.csv")), Files.readString(resumed.resolve("losses.csv")));
    }

    /// A kill leaves the checkpoint of an earlier update than the log's last.
    @Test void lossesAfterTheCheckpointAreForgotten() throws IOException {
        Recipe recipe = Recipe.rehearsal(4, 2);
        assertFalse(run(recipe, folder, List.of("judge"), 2));
        Path losses = folder.resolve("losses.csv");
        String logged = Files.readString(losses);
        assertTrue(logged.startsWith("judge,1,"), logged);
        Files.writeString(losses, "vae,3,0.5\n" + logged + "judge,3,0.25\n");
        assertTrue(run(recipe, folder, List.of("judge"), Integer.MAX_VALUE));
        List<String> rows = Files.readAllLines(losses);
        assertEquals(List.of("vae,3", "judge,1", "judge,4"), rows.stream().map(r -> r.substring(0, r.indexOf(',', r.indexOf(',') + 1))).toList());
    }

    private static void loads(Path root) throws IOException {
        ModelFolder files = new ModelFolder(root);
        try (Backend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, files.model()); ClipModel clip = ClipModel.load(b, files.clip());
                AestheticScore aesthetic = AestheticScore.load(b, files.clip(), ClipPreprocessing.TRANSFORMERS);
                FittedReward fitted = FittedReward.load(b, files.clip(), files.aesthetic()); HumanPreferenceScore preference = HumanPreferenceScore.load(b, files.preference(), Optional.empty(), ClipPreprocessing.TRANSFORMERS)) {
            agree(b, aesthetic, fitted);
            preference.prepare(List.of("a red circle"));
            assertEquals(World.SIZE, model.imageSize());
            assertEquals(4, model.unet().config().levels());
            assertEquals(World.SIZE, clip.vision().config().imageSize());
        }
        JsonNode report = new ObjectMapper().readTree(root.resolve("report.json").toFile());
        for (String part : List.of("training", "held_out", "training_real_pictures")) {
            double accuracy = report.path(part).path("judge").path("figure_and_paint").asDouble(-1);
            assertTrue(accuracy >= 0 && accuracy <= 1, part + " " + accuracy);
            double chosen = report.path(part).path("clip").path("figure").asDouble(-1);
            assertTrue(chosen >= 0 && chosen <= 1, part + " " + chosen);
        }
        for (String part : List.of("training", "held_out")) {
            double psnr = report.path(part + "_reconstruction_psnr").asDouble(-1);
            assertTrue(psnr > 0 && psnr < 100, part + " " + psnr);
        }
        try (SafeTensors vae = SafeTensors.open(files.vaeWeights())) {
            assertEquals(Shape.of(80, 80), vae.spec("encoder.mid_block.attentions.0.to_q.weight").shape(), "as diffusers has it");
        }
        long bytes = 0;
        for (Path weights : List.of(files.vaeWeights(), files.textWeights(), files.unetWeights(), files.clipWeights(), files.judgeWeights(), files.aesthetic(), files.preference().resolve("model.safetensors"))) {
            bytes += Files.size(weights);
        }
        assertTrue(bytes < 8_000_000, "weights take " + bytes + " bytes");
    }

    /// One head by two ways.
    private static void agree(Backend b, DifferentiableReward one, DifferentiableReward other) {
        Examples examples = Examples.draw(Recipe.rehearsal(1, 2), StageKey.SAMPLES, 0, 3);
        PixelBatch pixels = AestheticStage.pixels(examples.pictures());
        try (Scope _ = b.memory().open("scores"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var in = t.constant(b.floats("pixels", pixels.shape(), pixels.pixels()));
            float[] scores = b.toFloats(one.score(in, examples.captions()).value());
            assertArrayEquals(scores, b.toFloats(other.score(in, examples.captions()).value()));
            for (float s : scores) {
                assertTrue(s > -20 && s < 30, "near the ratings, got " + s);
            }
        }
    }

    @Test void gridsComeOftenAtFirst() {
        assertEquals(List.of(50, 100, 200, 400, 750, 1500), IntStream.rangeClosed(1, 1999).filter(s -> Pretraining.shows(s, 750)).boxed().toList());
        assertEquals(List.of(50, 75, 150), IntStream.rangeClosed(1, 200).filter(s -> Pretraining.shows(s, 75)).boxed().toList());
    }

    @Test void aFolderOfAnotherRecipeIsRefused() throws IOException {
        assertTrue(run(Recipe.rehearsal(1, 2), folder, List.of("judge"), Integer.MAX_VALUE));
        String message = assertThrows(IllegalArgumentException.class, () -> run(Recipe.rehearsal(2, 2), folder, List.of("judge"), Integer.MAX_VALUE)).getMessage();
        assertTrue(message.startsWith(folder + ": must be a new folder or one begun with this recipe, got one begun with Recipe["), message);
    }

    @Test void aFewUpdatesLowerTheLossOfEveryStage() throws IOException {
        Recipe recipe = Recipe.rehearsal(1, 4);
        try (Backend b = new CpuBackend()) {
            assertTrue(run(recipe, folder, List.of("vae", "clip", "judge"), Integer.MAX_VALUE));
            ModelFolder files = new ModelFolder(folder);
            List<Stage> stages = new ArrayList<>(List.of(new VaeStage(b, recipe, files), new ClipStage(b, recipe, files), new JudgeStage(b, recipe, files),
                    new DecoderStage(b, recipe, files),
                    new UNetStage(b, recipe, files), new AestheticStage(b, recipe, files), new PreferenceStage(b, recipe, files)));
            for (Stage stage : stages) {
                try (stage; Fit fit = new Fit(b, stage.parameters(), new FitSettings(8, 4, 1e-3, 0, 0.9))) {
                    double first = fit.update(t -> stage.loss(t, 0)).losses().get("loss");
                    double last = first;
                    for (int i = 0; i < 7; i++) {
                        last = fit.update(t -> stage.loss(t, 0)).losses().get("loss");
                    }
                    assertTrue(last < 0.97 * first, stage.name() + ": " + first + " to " + last);
                }
            }
        }
    }
}
