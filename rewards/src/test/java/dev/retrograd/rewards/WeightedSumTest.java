package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.TinyClip;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightedSumTest extends RewardContract {
    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(folder);
    }

    private WeightedSum.Term clip(Backend b, double weight, boolean paper) throws IOException {
        return new WeightedSum.Term(paper ? ClipSimilarity.load(b, folder, ClipPreprocessing.ALIGNPROP) : ClipSimilarity.load(b, folder), weight);
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return new WeightedSum(List.of(clip(b, 2, true), clip(b, -0.5, false)));
    }

    @Test void addsUpWhatEachScores() throws IOException {
        try (CpuBackend b = new CpuBackend(); DifferentiableReward sum = load(b); DifferentiableReward first = clip(b, 1, true).reward(); DifferentiableReward second = clip(b, 1, false).reward();
                Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var pixels = t.constant(b.floats("pixels", IMAGES, new RandomValues(5).uniform(IMAGES.elements(), 0, 1)));
            float[] got = b.toFloats(sum.score(pixels, prompts()).value());
            float[] one = b.toFloats(first.score(pixels, prompts()).value());
            float[] two = b.toFloats(second.score(pixels, prompts()).value());
            for (int i = 0; i < 2; i++) {
                assertEquals(2 * one[i] - 0.5 * two[i], got[i], 1e-6);
            }
            assertEquals("clip:2.0+clip:-0.5", sum.name());
        }
    }

    @Test void refusesWeightsThatAreNone() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipSimilarity reward = ClipSimilarity.load(b, folder)) {
            for (double weight : new double[] {0, Double.NaN, Double.NEGATIVE_INFINITY}) {
                assertEquals("weighted sum: the weight of clip must be a finite number other than 0, got " + weight,
                        assertThrows(IllegalArgumentException.class, () -> new WeightedSum.Term(reward, weight)).getMessage());
            }
        }
        assertThrows(IllegalArgumentException.class, () -> new WeightedSum(List.of()));
    }
}
