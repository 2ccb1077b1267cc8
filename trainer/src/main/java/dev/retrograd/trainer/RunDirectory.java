package dev.retrograd.trainer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The folder of one run, locked against a second writer while it is open.
///
/// | file | holds |
/// |---|---|
/// | `config.json` | every setting, readable by `--config` |
/// | `metrics.jsonl` | one {@link Metrics} per update |
/// | `samples/update-000010.png` | images of fixed prompts and seeds |
/// | `checkpoints/update-000010/` | what resuming needs, and the LoRA so far |
/// | `lora/pytorch_lora_weights.safetensors` | the result |
public final class RunDirectory implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// What a process that was killed can leave behind: half of a checkpoint, half of a file.
    private static final Pattern LEFTOVER = Pattern.compile("\\.saving-.*|\\..+\\.(json|jsonl|png|safetensors)\\.\\d+\\.tmp");

    private final Path folder;
    private final OutputFolder output;
    private final RunLock lock;

    private RunDirectory(Path folder, OutputFolder output, RunLock lock) {
        this.folder = folder;
        this.output = output;
        this.lock = lock;
    }

    /// Opens a folder, making it if need be.
    ///
    /// @throws IOException if it cannot be written, or another run uses it; names the folder
    public static RunDirectory open(Path folder) throws IOException {
        OutputFolder output = OutputFolder.make(folder);
        boolean done = false;
        try {
            RunDirectory run = new RunDirectory(folder, output, RunLock.take(folder));
            done = true;
            return run;
        } finally {
            if (!done) {
                output.close();
            }
        }
    }

    public Path folder() {
        return folder;
    }

    public Path checkpoints() {
        return folder.resolve("checkpoints");
    }

    /// Where a run keeps its settings.
    public static Path configOf(Path run) {
        return run.resolve("config.json");
    }

    /// The checkpoints of a run, oldest first.
    public static List<Path> checkpointsOf(Path run) throws IOException {
        return Checkpoint.all(run.resolve("checkpoints"));
    }

    /// Whether a folder is a checkpoint.
    public static boolean isCheckpoint(Path folder) {
        return Checkpoint.is(folder);
    }

    /// Whether a run was here before.
    public boolean isUsed() {
        return Files.exists(configOf(folder)) || Files.exists(metricsFile());
    }

    /// The folder of the result, made if need be.
    public Path loraFolder() throws IOException {
        return Files.createDirectories(folder.resolve("lora"));
    }

    /// A file of sample images, e.g. `samples/update-000010.png`.
    public Path sample(String name) throws IOException {
        return Files.createDirectories(folder.resolve("samples")).resolve(name + ".png");
    }

    /// As files call the state after so many updates.
    public static String updateName(int updates) {
        return "update-%06d".formatted(updates);
    }

    public void writeConfig(JsonNode config) throws IOException {
        AtomicFile.writeString(configOf(folder), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(config) + "\n");
    }

    private Path metricsFile() {
        return folder.resolve("metrics.jsonl");
    }

    /// Adds a line to `metrics.jsonl`, all of it or nothing.
    ///
    /// @throws IOException if it cannot be written
    public void append(Metrics metrics) throws IOException {
        ByteBuffer line = ByteBuffer.wrap((JSON.writeValueAsString(metrics) + "\n").getBytes(StandardCharsets.UTF_8));
        try (FileChannel file = FileChannel.open(metricsFile(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            long end = file.size();
            boolean whole = false;
            try {
                file.position(end);
                while (line.hasRemaining()) {
                    file.write(line);
                }
                whole = true;
            } finally {
                if (!whole) {
                    file.truncate(end);
                }
            }
        } catch (IOException e) {
            throw new IOException(metricsFile() + ": could not be written: " + e.getMessage(), e);
        }
    }

    /// Makes the folder that of a run which has done so many updates and goes on from there: drops what later updates and a killed process left.
    public void rewind(int updates) throws IOException {
        for (Path part : List.of(folder, checkpoints(), folder.resolve("samples"), folder.resolve("lora"))) {
            removeLeftovers(part);
        }
        Checkpoint.dropAfter(checkpoints(), updates);
        keepMetrics(updates);
    }

    private static void removeLeftovers(Path part) throws IOException {
        if (!Files.isDirectory(part)) {
            return;
        }
        try (Stream<Path> entries = Files.list(part)) {
            for (Path p : entries.filter(p -> LEFTOVER.matcher(p.getFileName().toString()).matches()).toList()) {
                OutputFolder.deleteTree(p);
            }
        }
    }

    private void keepMetrics(int updates) throws IOException {
        if (!Files.exists(metricsFile())) {
            return;
        }
        List<String> kept = new String(Files.readAllBytes(metricsFile()), StandardCharsets.UTF_8).lines().filter(line -> isWithin(line, updates)).toList();
        AtomicFile.writeString(metricsFile(), String.join("", kept.stream().map(l -> l + "\n").toList()));
    }

    /// A run that was killed while writing leaves half a line: it goes as well.
    private static boolean isWithin(String line, int updates) {
        try {
            JsonNode update = JSON.readTree(line).get("update");
            return update != null && update.asInt() <= updates;
        } catch (JsonProcessingException e) {
            return false;
        }
    }

    /// Unlocks the folder; removes it again if it was made for this run and the run wrote nothing.
    @Override public void close() {
        try (output; lock) {
            if (!isUsed()) {
                lock.remove();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(folder + ": cannot be tidied: " + e.getMessage(), e);
        }
    }
}
