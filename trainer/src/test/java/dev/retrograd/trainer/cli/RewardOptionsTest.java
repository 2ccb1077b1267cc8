package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegFileSize;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Reward;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class RewardOptionsTest {
    private static final String AESTHETIC = Golden.path("ci-rewards/model/aesthetic").toString();

    private static RewardOptions parsed(String... args) {
        RewardOptions options = new RewardOptions();
        new CommandLine(options).parseArgs(args);
        return options;
    }

    private static void chosen(RewardOptions options) throws IOException {
        options.choose(false);
        options.track(false);
    }

    private static float score(String... args) throws IOException {
        try (CpuBackend b = new CpuBackend(); DifferentiableReward reward = parsed(args).choose(false).on(b); Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(reward.score(t.constant(b.floats("pixels", Shape.of(1, 16, 16, 3), new RandomValues(1).uniform(16 * 16 * 3, 0, 1))), List.of("")).value())[0];
        }
    }

    @Test void severalRewardsAddUp() throws IOException {
        float aesthetic = score("--reward", "aesthetic", "--reward-model", AESTHETIC);
        float size = score("--reward", "compressibility");
        float sum = score("--reward", "aesthetic:2", "--reward", "compressibility:-0.5", "--reward-model", "aesthetic=" + AESTHETIC);
        assertEquals(2 * aesthetic - 0.5f * size, sum, 1e-4);
        assertEquals(sum, score("--reward", "aesthetic:2,compressibility:-0.5", "--reward-model", "aesthetic=" + AESTHETIC), 0);
        assertEquals(3 * aesthetic, score("--reward", "aesthetic:3", "--reward-model", AESTHETIC), 1e-4);
    }

    @Test void aTargetIsADistanceThatSumsWeigh() throws IOException {
        float aesthetic = score("--reward", "aesthetic", "--reward-model", AESTHETIC);
        float size = score("--reward", "compressibility");
        assertEquals(-Math.abs(7.5f - aesthetic), score("--reward", "aesthetic@7.5", "--reward-model", AESTHETIC), 1e-5);
        assertEquals(-0.5f * Math.abs(7.5f - aesthetic) + size, score("--reward", "aesthetic:0.5@7.5,compressibility", "--reward-model", AESTHETIC), 1e-4);
        assertEquals(-Math.abs(-0.2f - size), score("--reward", "compressibility@-0.2"), 1e-5);
    }

    @Test void laionsHeadMayLieElsewhere(@TempDir Path folder) throws IOException {
        Path model = Path.of(AESTHETIC);
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(model.resolve(file), folder.resolve(file));
        }
        assertEquals(score("--reward", "aesthetic", "--reward-model", AESTHETIC),
                score("--reward", "aesthetic", "--reward-model", folder.toString(), "--reward-head", model.resolve("aesthetic_head.safetensors").toString()), 0);
    }

    @Test void whatHasNoGradientIsTrackedAndNotTrained() throws IOException {
        RewardOptions options = parsed("--reward=aesthetic", "--track=jpeg-size,compressibility,jpeg-size", "--reward-model=" + AESTHETIC);
        PixelBatch image = new PixelBatch(new RandomValues(1).uniform(16 * 16 * 3, 0, 1), 1, 16, 16);
        try (CpuBackend b = new CpuBackend(); Tracked tracked = RewardOptions.load(options.track(false), b, 1)) {
            SequencedMap<String, float[]> scores = tracked.scores(image, List.of("x"));
            assertEquals(List.of("jpeg-size", "compressibility"), List.copyOf(scores.keySet()));
            assertEquals(new JpegFileSize(FileSizeGoal.LARGER).score(image, List.of("x"))[0], scores.get("jpeg-size")[0], 0);
        }
        try (CpuBackend b = new CpuBackend(); Reward any = parsed("--reward=jpeg-size:-1").chooseAny(false).on(b)) {
            assertEquals("jpeg-size:-1.0", any.name());
        }
    }

    @ParameterizedTest @CsvSource(delimiter = '|', value = {
        "--reward=beauty|--reward: must be one of compressibility, incompressibility, jpeg-size, picture-rating, picture-centred, picture-large, picture-saturated, picture-clean, judge, aesthetic, hps, pickscore, clip, concept-removal, object-count, fitted, got beauty",
        "--reward=hps:much|--reward: must be REWARD, REWARD:WEIGHT, REWARD@TARGET or REWARD:WEIGHT@TARGET with a finite weight other than 0 and a finite target, got hps:much",
        "--reward=hps:0|--reward: must be REWARD, REWARD:WEIGHT, REWARD@TARGET or REWARD:WEIGHT@TARGET with a finite weight other than 0 and a finite target, got hps:0",
        "--reward=hps@|--reward: must be REWARD, REWARD:WEIGHT, REWARD@TARGET or REWARD:WEIGHT@TARGET with a finite weight other than 0 and a finite target, got hps@",
        "--reward=hps@1@2|--reward: must be REWARD, REWARD:WEIGHT, REWARD@TARGET or REWARD:WEIGHT@TARGET with a finite weight other than 0 and a finite target, got hps@1@2",
        "--reward=hps:1@infinity|--reward: must be REWARD, REWARD:WEIGHT, REWARD@TARGET or REWARD:WEIGHT@TARGET with a finite weight other than 0 and a finite target, got hps:1@infinity",
        "--reward=jpeg-size:-1|--reward: must have a gradient with this --method, got jpeg-size, which has none; --method ddpo and rwr take it, and --track measures it",
        "--reward=compressibility --track=beauty|--track: must be one of compressibility, incompressibility, jpeg-size, picture-rating, picture-centred, picture-large, picture-saturated, picture-clean, judge, aesthetic, hps, pickscore, clip, concept-removal, object-count, fitted, got beauty",
        "--reward=clip,judge|--reward: must be one that training may raise, got judge, which only --track measures",
        "--reward=compressibility --track=pickscore|--track pickscore: needs --reward-model, a folder with PickScore in transformers' layout",
        "--reward=compressibility --reward-model=DIR|--reward-model: must be left out where no reward takes one, got DIR",
        "--reward=hps --track=clip --reward-model=DIR|--reward-model: with several, each must name its reward, as in hps=PATH, got DIR",
        "--reward=clip --reward-model=clip=|--reward-model: must be a path, or REWARD=PATH, got clip=",
        "--reward=clip --reward-model=A --reward-head=B|--reward-head: must be left out where no reward takes one, got B",
        "--reward=hps,hps:2|--reward: each reward must be given once, got hps twice",
        "--reward=hps|--reward hps: needs --reward-model, HPS_v2_compressed.pt or a folder with it",
        "--reward=concept-removal|--reward concept-removal: needs --reward-model, a folder with OWL-ViT in transformers' layout",
        "--reward=object-count|--reward object-count: needs --query, what is counted, and --count, how many there should be",
        "--reward=object-count --query=cat --count=-1|--count: must be 0 or more, got -1.0",
        "--reward=clip,hps --reward-model=DIR|--reward-model: with several, each must name its reward, as in clip=PATH, got DIR",
        "--reward=compressibility,incompressibility,clip|--reward clip: needs --reward-model, a folder with CLIP in transformers' layout"})
    void refusesWhatCannotBe(String args, String message) {
        RewardOptions options = parsed(args.split(" "));
        assertEquals(message, assertThrows(SettingException.class, () -> chosen(options)).getMessage());
    }
}
