package dev.retrograd.trainer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

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
    private static final String LOCK = ".lock";

    private final Path folder;
    private final FileChannel lockChannel;

    private RunDirectory(Path folder, FileChannel lockChannel) {
        this.folder = folder;
        this.lockChannel = lockChannel;
    }

    /// Opens a folder, making it if need be.
    ///
    /// @throws IOException if it cannot be written, or another run uses it; names the folder
    public static RunDirectory open(Path folder) throws IOException {
        try {
            Files.createDirectories(folder);
        } catch (FileAlreadyExistsException e) {
            throw new IOException(folder + ": must be a folder, but it is a file", e);
        }
        if (!Files.isWritable(folder)) {
            throw new IOException(folder + ": the run folder must be writable");
        }
        FileChannel channel = FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        boolean locked = false;
        try {
            FileLock lock = channel.tryLock();
            locked = lock != null;
        } catch (OverlappingFileLockException e) {
            locked = false;
        } finally {
            if (!locked) {
                channel.close();
            }
        }
        if (!locked) {
            throw new IOException(folder + ": in use by another run; wait for it or choose another --output");
        }
        return new RunDirectory(folder, channel);
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

    /// Adds a line to `metrics.jsonl`.
    public void append(Metrics metrics) {
        try {
            byte[] line = (JSON.writeValueAsString(metrics) + "\n").getBytes(StandardCharsets.UTF_8);
            Files.write(metricsFile(), line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(metricsFile() + ": cannot be written: " + e.getMessage(), e);
        }
    }

    /// Drops the lines of updates beyond `updates`: those that a resumed run will do again.
    public void keepMetrics(int updates) throws IOException {
        if (!Files.exists(metricsFile())) {
            return;
        }
        List<String> kept = new ArrayList<>();
        for (String line : Files.readAllLines(metricsFile())) {
            if (isWithin(line, updates)) {
                kept.add(line);
            }
        }
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

    /// Unlocks the folder.
    @Override public void close() {
        try {
            lockChannel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(folder + ": cannot be unlocked: " + e.getMessage(), e);
        }
    }
}
