package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.RewardContract;
import dev.retrograd.rewards.Scoring;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PickScoreTest extends RewardContract {
    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(folder);
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return PickScore.load(b, folder, ClipPreprocessing.ALIGNPROP);
    }

    @Test void isTheCosineTimesTheModelsLogitScale() throws IOException {
        PixelBatch images = new PixelBatch(new RandomValues(5).uniform(IMAGES.elements(), 0, 1), 2, 9, 7);
        try (CpuBackend b = new CpuBackend(); PickScore reward = PickScore.load(b, folder); ClipSimilarity cosine = ClipSimilarity.load(b, folder)) {
            Scoring scoring = new Scoring(b, 2);
            float[] got = scoring.of(reward, images, prompts());
            float[] cosines = scoring.of(cosine, images, prompts());
            for (int i = 0; i < 2; i++) {
                assertEquals(Math.exp(4.5) * cosines[i], got[i], 1e-4);
            }
            assertEquals("pickscore", reward.name());
        }
    }
}
