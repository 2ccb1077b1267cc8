package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.rewards.clip.HeadWeights;
import dev.retrograd.rewards.clip.TinyClip;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FitRewardTest {
    private static final int IMAGES = 40;

    @TempDir Path folder;
    private Path clip;
    private Path images;
    private Path head;

    @BeforeEach void writeFolders() throws IOException {
        clip = TinyClip.write(Files.createDirectory(folder.resolve("clip")));
        images = Files.createDirectory(folder.resolve("images"));
        head = folder.resolve("out/head.safetensors");
    }

    /// Noise of more and more strength, which JPEG files grow with; two sizes.
    private void writeImages() throws IOException {
        for (int i = 0; i < IMAGES; i++) {
            int side = i % 4 == 3 ? 12 : 8;
            byte[] rgb = new byte[side * side * 3];
            float[] noise = new RandomStream(i).rand(rgb.length);
            for (int j = 0; j < rgb.length; j++) {
                rgb[j] = (byte) (128 + 127 * (2 * noise[j] - 1) * i / IMAGES);
            }
            PngFile.write(images.resolve("%02d.png".formatted(i)), new RgbImage(side, side, rgb), Map.of());
        }
    }

    private CommandLineRun run(String... more) {
        List<String> args = new ArrayList<>(List.of("fit-reward", "--clip", clip.toString(), "--output", head.toString()));
        args.addAll(List.of(more));
        return CommandLineRun.of(args.toArray(String[]::new));
    }

    private String succeeded(String... more) {
        CommandLineRun run = run(more);
        run.succeeds();
        return run.out();
    }

    private void refused(int code, String message, String... more) {
        CommandLineRun run = run(more);
        run.failsWith(code);
        assertEquals("retrograd: " + message + "\n", run.err());
        assertFalse(Files.exists(head.getParent()), "nothing is written, and no folder left");
    }

    @Test void fitsTheSizeOfJpegFiles() throws IOException {
        writeImages();
        String out = succeeded("--images", images.toString(), "--updates", "200", "--hidden", "8");
        assertTrue(out.matches("(?s)device .*\n40 images, of .*, features of length 5 from .*update 200/200  loss \\S+\n"
                + "fitted:   R² \\S+, Spearman \\S+ on 32 images\nheld out: R² \\S+, Spearman \\S+ on 8 images\n"
                + "reward fitted-jpeg-compressibility, 5-8-1: train --reward fitted --reward-head .*\n"), out);
        HeadWeights written = HeadWeights.read(head);
        assertEquals("fitted-jpeg-compressibility", written.name());
        assertEquals(HeadWeights.Activation.SILU, written.activation());
        try (CpuBackend b = new CpuBackend(); FittedReward reward = FittedReward.load(b, clip, head)) {
            assertEquals("fitted-jpeg-compressibility", reward.name());
        }
        byte[] first = Files.readAllBytes(head);
        succeeded("--images", images.toString(), "--updates", "200", "--hidden", "8", "--micro-batch-size", "1", "--threads", "1");
        assertArrayEquals(first, Files.readAllBytes(head), "neither batches nor threads change the result");
    }

    @Test void fitsScoresOfAFile() throws IOException {
        writeImages();
        StringBuilder csv = new StringBuilder("file,score\n");
        for (int i = 0; i < 20; i++) {
            csv.append("%02d.png,%d\n".formatted(19 - i, i * i));
        }
        Path scores = Files.writeString(folder.resolve("scores.csv"), csv);
        String out = succeeded("--images", images.toString(), "--scores", scores.toString(), "--updates", "20", "--hidden", "0", "--name", "mine");
        assertTrue(out.contains("\n20 images, of "), out);
        HeadWeights written = HeadWeights.read(head);
        assertEquals("mine", written.name());
        assertEquals(1, written.layers().size());
        Files.writeString(scores, "nowhere.png,1\n");
        Files.delete(head);
        Files.delete(head.getParent());
        refused(ExitCode.FAILED, scores + ": every file must be in " + images + ", got 'nowhere.png', which is not", "--images", images.toString(), "--scores", scores.toString());
    }

    @Test void fitsImagesThatAModelSamples() throws IOException {
        Path model = Golden.path("ci-sd/model");
        String out = succeeded("--model", model.toString(), "--count", "9", "--steps", "1", "--prompt", "cat", "--updates", "5", "--goal", "larger");
        assertTrue(out.contains("\n9 images, sampled from " + model), out);
        assertTrue(out.contains("reward fitted-jpeg-size, 5-128-32-1"), out);
        byte[] first = Files.readAllBytes(head);
        succeeded("--model", model.toString(), "--count", "9", "--steps", "1", "--prompt", "cat", "--updates", "5", "--goal", "larger", "--micro-batch-size", "2");
        assertArrayEquals(first, Files.readAllBytes(head), "images do not depend on their neighbours");
    }

    @Test void trainingUsesIt() throws IOException {
        writeImages();
        succeeded("--images", images.toString(), "--updates", "5", "--hidden", "4");
        Path output = folder.resolve("run");
        CommandLineRun run = CommandLineRun.train("--model=" + Golden.path("ci-sd/model"), "--reward=fitted", "--reward-model=" + clip, "--reward-head=" + head, "--output=" + output);
        run.succeeds();
        assertTrue(run.out().contains("reward fitted-jpeg-compressibility,"), run.out());
        String metrics = Files.readString(output.resolve("metrics.jsonl"));
        assertTrue(metrics.matches("(?s).*\"reward_mean\":-?\\d.*\"grad_norm\":\\d.*"), metrics);
        CommandLineRun.train("--reward=fitted", "--reward-model=" + clip, "--output=" + folder.resolve("other")).failsWith(ExitCode.USAGE, "--reward-head");
    }

    @Test void refusesWhatDoesNotGoTogether() throws IOException {
        String given = images.toString();
        refused(ExitCode.USAGE, "--count: must be left out where --images gives the images, got both", "--images", given, "--count", "3");
        refused(ExitCode.USAGE, "--goal: must be left out where --scores gives the scores, got both", "--images", given, "--scores", "x.csv", "--goal", "larger");
        refused(ExitCode.USAGE, "--scores: must be given with --images, the folder of the files that it scores, got no --images", "--scores", "x.csv");
        refused(ExitCode.USAGE, "--name: a name must be 1 to 64 letters, digits, spaces and ._+- and begin with a letter or digit, got '../x'", "--images", given, "--name", "../x");
        refused(ExitCode.USAGE, "--updates: must be 1 or more, got 0", "--images", given, "--updates", "0");
        refused(ExitCode.USAGE, "--jpeg-quality: quality must be 1..100, got 0", "--images", given, "--jpeg-quality", "0");
        refused(ExitCode.USAGE, "--weight-decay: must be 0 or more, got NaN", "--images", given, "--weight-decay", "NaN");
        refused(ExitCode.FAILED, images + ": at least one .png, .jpg or .jpeg file is required, got none", "--images", given);
        clip = folder.resolve("absent");
        refused(ExitCode.FAILED, clip + ": a CLIP model folder is required, but there is none", "--images", given);
    }
}
