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
import dev.retrograd.trainer.SettingException;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
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

    @ParameterizedTest @CsvSource(delimiter = '|', value = {
        "--reward=beauty|--reward: must be one of compressibility, incompressibility, aesthetic, hps, concept-removal, object-count, clip, fitted, got beauty",
        "--reward=hps:much|--reward: must be REWARD or REWARD:WEIGHT with a finite weight other than 0, got hps:much",
        "--reward=hps:0|--reward: must be REWARD or REWARD:WEIGHT with a finite weight other than 0, got hps:0",
        "--reward=hps,hps:2|--reward: each reward must be given once, got hps twice",
        "--reward=hps|--reward hps: needs --reward-model, HPS_v2_compressed.pt or a folder with it",
        "--reward=concept-removal|--reward concept-removal: needs --reward-model, a folder with OWL-ViT in transformers' layout",
        "--reward=object-count|--reward object-count: needs --query, what is counted, and --count, how many there should be",
        "--reward=object-count --query=cat --count=-1|--count: must be 0 or more, got -1.0",
        "--reward=clip,hps --reward-model=DIR|--reward-model: with several, each must name its reward, as in clip=PATH, got DIR",
        "--reward=compressibility,incompressibility,clip|--reward clip: needs --reward-model, a folder with CLIP in transformers' layout"})
    void refusesWhatCannotBe(String args, String message) {
        RewardOptions options = parsed(args.split(" "));
        assertEquals(message, assertThrows(SettingException.class, () -> options.choose(false)).getMessage());
    }
}
