package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.rewards.RewardProvider;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PluginsTest {
    /// The README's example.
    private static final String REDNESS = """
            import dev.retrograd.autograd.Var;
            import dev.retrograd.autograd.op.Slice;
            import dev.retrograd.autograd.op.SumTo;
            import dev.retrograd.core.Backend;
            import dev.retrograd.core.Shape;
            import dev.retrograd.rewards.*;
            import java.nio.file.Path;
            import java.util.List;
            import java.util.Optional;

            public final class Redness implements RewardProvider, DifferentiableReward {
                public String name() {
                    return "redness";
                }

                public Reward create(Backend backend, Optional<Path> model) {
                    return this;
                }

                public Var score(Var pixels, List<String> prompts) { // [B,H,W,3] in [0,1]
                    Var red = pixels.apply(new Slice(3, 0, 1));
                    return red.apply(SumTo.mean(red.shape(), Shape.of(red.dim(0), 1, 1, 1))).reshape(red.dim(0));
                }
            }
            """;
    private static final String SERVICE = "META-INF/services/" + RewardProvider.class.getName();

    @TempDir Path folder;
    private Path source;

    @BeforeEach void write() throws IOException {
        source = Files.writeString(folder.resolve("Redness.java"), REDNESS);
    }

    /// Compiled and declared, as a build tool would leave it.
    private Path classes(String content, String provider) throws IOException {
        Path classes = Files.createDirectories(folder.resolve("classes"));
        Files.writeString(source, content);
        assertEquals(0, ToolProvider.getSystemJavaCompiler().run(null, OutputStream.nullOutputStream(), OutputStream.nullOutputStream(),
                "-classpath", System.getProperty("java.class.path"), "-proc:none", "-d", classes.toString(), source.toString()));
        Files.createDirectories(classes.resolve(SERVICE).getParent());
        Files.writeString(classes.resolve(SERVICE), provider + "\n");
        return classes;
    }

    private Path jar(Path classes) throws IOException {
        Path jar = folder.resolve("redness.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar)); Stream<Path> files = Files.walk(classes)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry(classes.relativize(file).toString().replace('\\', '/')));
                Files.copy(file, out);
            }
        }
        return jar;
    }

    private JsonNode trained(Path plugin, String name) throws IOException {
        Path run = folder.resolve(name);
        CommandLineRun.train("--output=" + run, "--plugin=" + plugin, "--reward=redness:2", "--track=jpeg-size", "--track=redness").succeeds();
        return new ObjectMapper().readTree(Files.readAllLines(run.resolve("metrics.jsonl")).getLast());
    }

    @Test void aSourceFileAFolderAndAJarTrainTheSameReward() throws IOException {
        JsonNode fromSource = trained(source, "source");
        assertEquals(fromSource.get("reward_mean").doubleValue(), 2 * fromSource.get("track/redness").doubleValue(), 1e-6);
        assertTrue(fromSource.get("track/jpeg-size").doubleValue() > 0.3, "a JPEG file has a header: " + fromSource);
        assertTrue(fromSource.get("grad_norm").doubleValue() > 0, "its gradient reaches the LoRA");
        Path classes = classes(REDNESS, "Redness");
        assertEquals(fromSource.get("loss"), trained(classes, "folder").get("loss"));
        assertEquals(fromSource.get("loss"), trained(jar(classes), "jar").get("loss"));
        String lora = "lora/pytorch_lora_weights.safetensors";
        assertArrayEquals(Files.readAllBytes(folder.resolve("source").resolve(lora)), Files.readAllBytes(folder.resolve("jar").resolve(lora)));
        CommandLineRun.train("--resume=" + folder.resolve("jar"), "--updates=2").succeeds();
        assertTrue(Files.readAllLines(folder.resolve("jar/metrics.jsonl")).getLast().contains("track/redness"), "the resumed run finds plugin and metrics in its config.json");
    }

    @Test void trackingChangesNothingThatIsTrained() throws IOException {
        Path with = folder.resolve("with");
        Path without = folder.resolve("without");
        CommandLineRun tracked = CommandLineRun.train("--output=" + with, "--plugin=" + source, "--track=redness,jpeg-size");
        tracked.succeeds();
        assertTrue(tracked.out().lines().anyMatch(l -> l.startsWith("track redness on 1 images of training prompts: ")), tracked.out());
        JsonNode before = new ObjectMapper().readTree(Files.readAllLines(with.resolve("evaluations.jsonl")).getFirst());
        assertTrue(before.get("track/redness").doubleValue() > 0 && before.get("track/jpeg-size").doubleValue() > 0.3, before.toString());
        CommandLineRun.train("--output=" + without).succeeds();
        String lora = "lora/pytorch_lora_weights.safetensors";
        assertArrayEquals(Files.readAllBytes(without.resolve(lora)), Files.readAllBytes(with.resolve(lora)));
        assertFalse(Files.readString(without.resolve("metrics.jsonl")).contains("track/"));
    }

    private void refused(Path plugin, String... parts) {
        CommandLineRun.train("--output=" + folder.resolve("run"), "--plugin=" + plugin, "--reward=redness").failsWith(ExitCode.FAILED, parts);
        assertFalse(Files.exists(folder.resolve("run")), "nothing may be left");
    }

    @Test void pluginsThatDoNotLoadAreNamed() throws IOException {
        refused(folder.resolve("absent.jar"), "absent.jar: a jar, a folder of classes or a Java source file is required, but there is none");
        refused(folder.resolve("Absent.java"), "Absent.java: a Java source file is required, but there is none");
        refused(Files.writeString(folder.resolve("text.jar"), "no jar"), "text.jar: a plugin must be a jar, a folder of classes or a Java source file, got a file that is none");
        refused(Files.createDirectory(folder.resolve("empty")), "empty: a plugin must name a reward's provider in " + SERVICE + ", got none");
        refused(Files.writeString(folder.resolve("Broken.java"), "class Broken {\n  int x = true;\n}"), "Broken.java: line 2 does not compile: incompatible types");
        refused(Files.writeString(folder.resolve("Other.java"), "class Other { }"), "Other.java: a plugin must name a reward's provider");
        refused(Files.writeString(folder.resolve("Hidden.java"), REDNESS.replace("Redness implements", "Hidden implements").replace("public String name", "Hidden(int x) { }\n public String name")),
                "Hidden.java: Hidden must be public and not abstract, with a public constructor without parameters");
        refused(Files.writeString(folder.resolve("Clip.java"), REDNESS.replace("Redness implements", "Clip implements").replace("redness", "clip")), "Clip.java: a reward's name must be lower-case", "got 'clip'");
        refused(classes(REDNESS, "Blueness"), "its rewards must load, got an error", "Blueness");
    }

    @Test void aNameIsTakenOnce() throws IOException {
        Path other = Files.writeString(folder.resolve("Other.java"), REDNESS.replace("Redness implements", "Other implements"));
        String message = assertThrows(IOException.class, () -> Plugins.load(List.of(source, other))).getMessage();
        assertEquals(other + ": each reward must have a name of its own, got 'redness' again", message);
    }

    @Test void aPluginsRewardWithoutGradientIsTrackedOnly() throws IOException {
        Path box = Files.writeString(folder.resolve("Box.java"), """
                import dev.retrograd.core.Backend;
                import dev.retrograd.rewards.*;
                import java.nio.file.Path;
                import java.util.*;

                public final class Box implements RewardProvider, BlackBoxReward {
                    public String name() { return "box"; }
                    public Reward create(Backend backend, Optional<Path> model) { return this; }
                    public float[] score(PixelBatch images, List<String> prompts) { return new float[images.batch()]; }
                }
                """);
        CommandLineRun.train("--output=" + folder.resolve("run"), "--plugin=" + box, "--reward=box").failsWith(ExitCode.USAGE, "--reward: must have a gradient with this --method, got box, which has none");
        CommandLineRun.train("--output=" + folder.resolve("run"), "--plugin=" + box, "--track=box").succeeds();
        CommandLineRun.train("--output=" + folder.resolve("other"), "--plugin=" + box, "--reward=boxes").failsWith(ExitCode.USAGE, "object-count, fitted, box, got boxes");
    }
}
