package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.TinyClip;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TargetRewardTest extends RewardContract {
    private static final PixelBatch PIXELS = new PixelBatch(new RandomValues(5).uniform(IMAGES.elements(), 0, 1), 2, 9, 7);

    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(folder);
    }

    private ClipSimilarity clip(Backend b) throws IOException {
        return ClipSimilarity.load(b, folder, ClipPreprocessing.ALIGNPROP);
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return new TargetReward(clip(b), 0.03);
    }

    @Test void isTheDistanceBelowAndAboveTheTarget() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipSimilarity plain = clip(b)) {
            Scoring scoring = new Scoring(b, 1);
            float[] scores = scoring.of(plain, PIXELS, prompts());
            double between = (scores[0] + scores[1]) / 2.0;
            assertTrue(scores[0] != scores[1], "one lies above and one below");
            try (TargetReward reward = new TargetReward(clip(b), between)) {
                float[] got = scoring.of(reward, PIXELS, prompts());
                for (int i = 0; i < 2; i++) {
                    assertEquals(-Math.abs(between - scores[i]), got[i], 1e-6);
                }
                assertEquals("clip@" + between, reward.name());
            }
        }
    }

    @Test void aSumOfBlackBoxesHasTargetsToo() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            Scoring scoring = new Scoring(b, 2);
            try (BlackBoxSum sum = new BlackBoxSum(List.of(new BlackBoxSum.Term(clip(b), 2, OptionalDouble.empty()),
                    new BlackBoxSum.Term(new JpegFileSize(FileSizeGoal.LARGER), -0.5, OptionalDouble.of(0.25))), scoring); ClipSimilarity plain = clip(b)) {
                float[] cosines = scoring.of(plain, PIXELS, prompts());
                float[] sizes = scoring.of(new JpegFileSize(FileSizeGoal.LARGER), PIXELS, prompts());
                float[] got = sum.score(PIXELS, prompts());
                for (int i = 0; i < 2; i++) {
                    assertEquals(2 * cosines[i] + 0.5 * Math.abs(0.25 - sizes[i]), got[i], 1e-6);
                }
                assertEquals("clip:2.0+jpeg-size@0.25:-0.5", sum.name());
            }
            assertEquals(0, b.memory().liveBytes(), "the sum owns its terms, and scoring leaves nothing");
        }
    }

    @Test void refusesTargetsThatAreNone() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipSimilarity plain = clip(b)) {
            assertEquals("target: must be a finite number, got NaN", assertThrows(IllegalArgumentException.class, () -> new TargetReward(plain, Double.NaN)).getMessage());
            assertEquals("scoring: one prompt for each of 2 images is required, got 1",
                    assertThrows(IllegalArgumentException.class, () -> new Scoring(b, 1).of(plain, PIXELS, List.of("cat"))).getMessage());
        }
    }
}
