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
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class FitRewardTest {
    private static final int IMAGES = 40;

    @TempDir Path folder;
    private Path clip;
    private Path images;
    private Path head;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

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

    private int run(String... more) {
        List<String> args = new ArrayList<>(List.of("fit-reward", "--clip", clip.toString(), "--output", head.toString()));
        args.addAll(List.of(more));
        CommandLine commandLine = new Main().commandLine();
        return commandLine.setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(args.toArray(String[]::new));
    }

    private void refused(String message, String... more) {
        err.getBuffer().setLength(0);
        assertEquals(ExitCode.FAILED, run(more));
        assertEquals("retrograd: " + message + "\n", err.toString());
        assertFalse(Files.exists(head), "nothing is written");
    }

    @Test void fitsTheSizeOfJpegFiles() throws IOException {
        writeImages();
        assertEquals(ExitCode.DONE, run("--images", images.toString(), "--updates", "200", "--hidden", "8"), err::toString);
        assertTrue(out.toString().matches("(?s)40 images, of .*, features of length 5 from .*update 200/200  loss \\S+\n"
                + "fitted:   R² \\S+, Spearman \\S+ on 32 images\nheld out: R² \\S+, Spearman \\S+ on 8 images\n"
                + "reward fitted-jpeg-compressibility, 5-8-1: train --reward fitted --reward-head .*\n"), out.toString());
        HeadWeights written = HeadWeights.read(head);
        assertEquals("fitted-jpeg-compressibility", written.name());
        assertEquals(HeadWeights.Activation.SILU, written.activation());
        try (CpuBackend b = new CpuBackend(); FittedReward reward = FittedReward.load(b, clip, head)) {
            assertEquals("fitted-jpeg-compressibility", reward.name());
        }
        byte[] first = Files.readAllBytes(head);
        assertEquals(ExitCode.DONE, run("--images", images.toString(), "--updates", "200", "--hidden", "8", "--micro-batch-size", "1", "--threads", "1"));
        assertArrayEquals(first, Files.readAllBytes(head), "neither batches nor threads change the result");
    }

    @Test void fitsScoresOfAFile() throws IOException {
        writeImages();
        StringBuilder csv = new StringBuilder("file,score\n");
        for (int i = 0; i < 20; i++) {
            csv.append("%02d.png,%d\n".formatted(19 - i, i * i));
        }
        Path scores = Files.writeString(folder.resolve("scores.csv"), csv);
        assertEquals(ExitCode.DONE, run("--images", images.toString(), "--scores", scores.toString(), "--updates", "20", "--hidden", "0", "--name", "mine"), err::toString);
        assertTrue(out.toString().startsWith("20 images, of "), out.toString());
        HeadWeights written = HeadWeights.read(head);
        assertEquals("mine", written.name());
        assertEquals(1, written.layers().size());
        Files.writeString(scores, "nowhere.png,1\n");
        Files.delete(head);
        refused(scores + ": every file must be in " + images + ", got 'nowhere.png', which is not", "--images", images.toString(), "--scores", scores.toString());
    }

    @Test void fitsImagesThatAModelSamples() {
        Path model = Golden.path("ci-sd/model");
        assertEquals(ExitCode.DONE, run("--model", model.toString(), "--count", "9", "--steps", "1", "--prompt", "cat", "--updates", "5", "--goal", "larger"), err::toString);
        assertTrue(out.toString().startsWith("9 images, sampled from " + model), out.toString());
        assertTrue(out.toString().contains("reward fitted-jpeg-incompressibility, 5-128-32-1"), out.toString());
    }

    @Test void refusesWhatDoesNotGoTogether() throws IOException {
        refused("--count: is about sampling images, but --images gives them; only one of the two may be asked for", "--images", images.toString(), "--count", "3");
        refused("--scores: needs --images, the folder of the files that it scores", "--scores", "x.csv");
        refused(images + ": at least one .png, .jpg or .jpeg file is required, got none", "--images", images.toString());
        refused("head: a name must be 1 to 64 letters, digits, spaces and ._+- and begin with a letter or digit, got '../x'", "--images", images.toString(), "--name", "../x");
        refused("--updates: must be 1 or more, got 0", "--images", images.toString(), "--updates", "0");
        refused("jpeg: quality must be 1..100, got 0", "--images", images.toString(), "--jpeg-quality", "0");
        clip = folder.resolve("absent");
        refused(clip + ": a CLIP model folder is required, but there is none", "--images", images.toString());
    }
}
