package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.clip.TinyClip;
import dev.retrograd.unet.LoraFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `evaluate` and `mix` as a user calls them.
class EvaluateTest {
    private static final String MODULE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_";

    @TempDir Path folder;
    private Path first;
    private Path second;

    @BeforeEach void writeLoras() throws IOException {
        first = lora("first", 1, 2, "q");
        second = lora("second", 2, 3, "q", "v");
    }

    private Path lora(String name, long seed, int rank, String... projections) throws IOException {
        RandomValues random = new RandomValues(seed);
        Map<String, LoraFile.Update> updates = new TreeMap<>();
        for (String p : projections) {
            updates.put(MODULE + p, new LoraFile.Update(rank, 32, 32, random.normal(32L * rank), random.normal(32L * rank), rank, 0));
        }
        Path file = folder.resolve(name + ".safetensors");
        LoraFile.write(file, updates, LoraFile.Naming.PEFT);
        return file;
    }

    private static CommandLineRun run(String command, String... args) {
        List<String> all = new ArrayList<>(List.of(command, "--model=" + Golden.path("ci-sd/model"), "--steps=2", "--height=16", "--width=16", "--prompt=a cat", "--prompt=a dog", "--images-per-prompt=2"));
        all.addAll(List.of(args));
        return CommandLineRun.of(all.toArray(String[]::new));
    }

    private static List<String[]> csv(Path file) throws IOException {
        return Files.readAllLines(file).stream().skip(1).map(l -> l.split(",")).toList();
    }

    @Test void everyModelSeesTheSameNoise() throws IOException {
        TinyClip.write(Files.createDirectory(folder.resolve("clip")));
        Path unseen = Files.writeString(folder.resolve("unseen.txt"), "a bird\na fish\na worm\n");
        Path out = folder.resolve("out");
        CommandLineRun evaluated = run("evaluate", "--lora=" + first, "--lora=off=" + first + ":0", "--eval-prompts=" + unseen, "--max-prompts=2", "--reward=compressibility:2", "--track=jpeg-size", "--clip=" + folder.resolve("clip"),
                "--output=" + out);
        evaluated.succeeds();
        List<String[]> rows = csv(out.resolve("evaluation.csv"));
        assertEquals(3 * 2 * 3, rows.size(), "models, sets and measures");
        for (String[] row : rows) {
            boolean same = !row[0].equals(first.toString());
            assertEquals(same, Double.parseDouble(row[6]) == 0, String.join(",", row));
            assertEquals(row[2].equals("diversity") ? 2 : 4, Integer.parseInt(row[3]));
        }
        assertNotEquals(rows.get(0)[4], rows.get(3)[4], "unseen prompts have noise and texts of their own");
        assertEquals("jpeg-size", rows.get(1)[2]);
        assertTrue(evaluated.out().contains("change against base, of images from the same noise:"), evaluated.out());
        for (String file : List.of("evaluation.md", "grid-train.png", "grid-unseen.png", "config.json")) {
            assertTrue(Files.size(out.resolve(file)) > 0, file);
        }
        Path again = folder.resolve("again");
        CommandLineRun.of("evaluate", "--config=" + out.resolve("config.json"), "--micro-batch-size=3", "--output=" + again).succeeds();
        assertArrayEquals(Files.readAllBytes(out.resolve("grid-train.png")), Files.readAllBytes(again.resolve("grid-train.png")), "the file holds every setting; how many at once changes no image");
    }

    /// Upstream's way to wear two LoRAs at once is the reference for the exact mix.
    @Test void anExactMixIsBothLorasAtOnce() throws IOException {
        Path mix = folder.resolve("mix.safetensors");
        CommandLineRun.of("mix", "--lora=" + first + ":0.5", "--lora=" + second + ":-0.25", "--output=" + mix).succeeds();
        assertEquals(5, LoraFile.read(mix, OptionalDouble.empty()).get(MODULE + "q").rank());
        Path worn = folder.resolve("worn");
        CommandLineRun.of("sample", "--model=" + Golden.path("ci-sd/model"), "--steps=2", "--height=16", "--width=16", "--prompt=x", "--lora=" + mix, "--output=" + worn).succeeds();
        Path both = folder.resolve("both");
        CommandLineRun.of("sample", "--model=" + Golden.path("ci-sd/model"), "--steps=2", "--height=16", "--width=16", "--prompt=x", "--lora=" + first + ":0.5", "--lora=" + second + ":-0.25", "--output=" + both).succeeds();
        assertArrayEquals(Files.readAllBytes(both.resolve("000.png")), Files.readAllBytes(worn.resolve("000.png")));
        CommandLineRun small = CommandLineRun.of("mix", "--lora=" + mix, "--rank=2", "--lora-naming=kohya", "--output=" + folder.resolve("small"));
        small.succeeds();
        assertTrue(small.out().matches("(?s)2 modules of rank 2, 0\\.\\d{4} of the squared norm kept: .*"), small.out());
        assertEquals(2, LoraFile.read(folder.resolve("small"), OptionalDouble.empty()).get(MODULE + "q").rank());
    }

    @Test void aCurvePassesThroughItsEnds() throws IOException {
        Path out = folder.resolve("curve");
        run("mix", "--lora=" + first, "--lora=" + second + ":2", "--curve=1,0,0.5", "--output=" + out).succeeds();
        List<String[]> rows = csv(out.resolve("curve.csv"));
        assertEquals(List.of("0.0", "0.5", "1.0"), rows.stream().map(r -> r[0]).toList());
        Path ends = folder.resolve("ends");
        run("evaluate", "--lora=" + first, "--lora=" + second + ":2", "--output=" + ends).succeeds();
        double[] expected = csv(ends.resolve("evaluation.csv")).stream().skip(1).mapToDouble(r -> Double.parseDouble(r[4])).toArray();
        Close.elements("ends", expected, IntStream.of(0, 2).mapToDouble(i -> Double.parseDouble(rows.get(i)[4])).toArray(), 1e-5, 0);
        assertTrue(Files.readString(out.resolve("curve-compressibility.svg")).contains("coefficient of the second LoRA"));
        assertTrue(Files.exists(out.resolve("mix-0.5").resolve(LoraFile.NAME)));
        assertTrue(Files.readString(out.resolve("curve.md")).contains("| mix-0.5 | train | 4 |"));
    }

    @Test void whatCannotBeIsRefusedBeforeAnythingIsWritten() throws IOException {
        Path out = folder.resolve("out");
        run("evaluate", "--lora=" + first, "--lora=" + first, "--output=" + out).failsWith(ExitCode.USAGE, "--lora: each must have a name of its own");
        run("evaluate", "--lora=" + folder.resolve("absent"), "--output=" + out).failsWith(ExitCode.FAILED, "absent");
        run("evaluate", "--images-per-prompt=0", "--output=" + out).failsWith(ExitCode.USAGE, "--images-per-prompt");
        run("evaluate", "--max-prompts=0", "--output=" + out).failsWith(ExitCode.USAGE, "--max-prompts");
        run("evaluate", "--target=3", "--output=" + out).failsWith(ExitCode.USAGE, "--target: must be left out where nothing is trained (REWARD@TARGET measures a distance), got 3.0");
        run("evaluate", "--reward=hps", "--output=" + out).failsWith(ExitCode.USAGE, "--reward hps: needs --reward-model");
        run("mix", "--lora=" + first, "--lora=" + second, "--mode=factors", "--output=" + out).failsWith(ExitCode.FAILED, "factors average only LoRAs of one rank and alpha");
        run("mix", "--lora=" + first, "--mode=factors", "--rank=1", "--output=" + out).failsWith(ExitCode.USAGE, "--rank");
        run("mix", "--lora=" + first, "--curve=0,1", "--output=" + out).failsWith(ExitCode.USAGE, "--curve: must be given with two --lora, got 1");
        run("mix", "--lora=" + first + ":NaN", "--output=" + out).failsWith(ExitCode.USAGE, "--lora: must be followed by a finite number, got " + first + ":NaN");
        run("mix", "--lora=" + first, "--lora=" + second, "--curve=0,0", "--output=" + out).failsWith(ExitCode.USAGE, "--curve: must be different finite numbers, got [0.0, 0.0]");
        run("mix", "--lora=" + first + ":1e999", "--output=" + out).failsWith(ExitCode.USAGE, "--lora");
        assertFalse(Files.exists(out));
    }
}
