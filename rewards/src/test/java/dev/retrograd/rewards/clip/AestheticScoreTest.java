package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.core.testing.TorchCheckpoint;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.RewardContract;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Upstream's scores and gradients are checked by the repository's reference folder `ci-rewards`.
class AestheticScoreTest extends RewardContract {
    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(folder);
        writeHead("sac+logos+ava1-l14-linearMSE.safetensors", 5);
    }

    private void writeHead(String name, int features) throws IOException {
        double[] std = new double[features];
        Arrays.fill(std, 0.1);
        HeadWeights.random("laion", HeadWeights.Activation.NONE, features, List.of(6, 3), new RandomStream(4)).of(new double[features], std, 10, 5).write(folder.resolve(name));
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return AestheticScore.load(b, folder, ClipPreprocessing.ALIGNPROP);
    }

    /// The same tower and head as a fitted reward, which loads the whole of CLIP.
    @Test void isTheHeadOfClipsFeatures() throws IOException {
        float[] pixels = new RandomValues(5).uniform(IMAGES.elements(), 0, 1);
        try (CpuBackend b = new CpuBackend(); DifferentiableReward reward = load(b); ClipModel model = ClipModel.load(b, folder);
                FittedReward fitted = new FittedReward(new ImageFeatures(ClipModel.load(b, folder), model.preprocessing().with(ClipPreprocessing.ALIGNPROP)),
                        FeatureHead.frozen(b, HeadWeights.read(folder.resolve("sac+logos+ava1-l14-linearMSE.safetensors"))));
                Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            float[] got = b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, pixels)), List.of()).value());
            assertArrayEquals(b.toFloats(fitted.score(t.constant(b.floats("pixels", IMAGES, pixels)), List.of()).value()), got);
            assertEquals("aesthetic", reward.name());
        }
    }

    private float[] scores(CpuBackend b) throws IOException {
        try (DifferentiableReward reward = load(b); Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, new RandomValues(5).uniform(IMAGES.elements(), 0, 1))), List.of()).value());
        }
    }

    /// The head as LAION publishes it, CLIP as older folders have it.
    @Test void readsPyTorchFiles() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            float[] expected = scores(b);
            asCheckpoint("model.safetensors", "pytorch_model.bin");
            asCheckpoint("sac+logos+ava1-l14-linearMSE.safetensors", "sac+logos+ava1-l14-linearMSE.pth");
            assertArrayEquals(expected, scores(b));
        }
    }

    private void asCheckpoint(String from, String to) throws IOException {
        try (SafeTensors tensors = SafeTensors.open(folder.resolve(from))) {
            TorchCheckpoint.write(tensors, folder.resolve(to));
        }
        Files.delete(folder.resolve(from));
    }

    private void refused(String message) {
        try (CpuBackend b = new CpuBackend()) {
            assertEquals(message, assertThrows(ModelFormatException.class, () -> load(b)).getMessage());
            assertEquals(0, b.memory().liveBytes());
        }
    }

    @Test void refusesFoldersWithoutWhatItNeedsAndLeavesNothingBehind() throws IOException {
        writeHead("sac+logos+ava1-l14-linearMSE.safetensors", 4);
        refused(folder.resolve("sac+logos+ava1-l14-linearMSE.safetensors") + ": the head must take features of length 5 (projection_dim), got one for 4");
        Files.delete(folder.resolve("sac+logos+ava1-l14-linearMSE.safetensors"));
        refused(folder + ": must have one of aesthetic_head.safetensors, sac+logos+ava1-l14-linearMSE.safetensors, sac+logos+ava1-l14-linearMSE.pth");
        writeHead("aesthetic_head.safetensors", 5);
        Files.delete(folder.resolve("model.safetensors"));
        refused(folder + ": must have one of model.safetensors, pytorch_model.bin, model.safetensors.index.json, pytorch_model.bin.index.json");
    }
}
