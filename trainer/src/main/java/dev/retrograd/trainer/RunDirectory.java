package dev.retrograd.trainer;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The folder of one run, locked against a second writer while it is open.
///
/// | file | holds |
/// |---|---|
/// | `config.json` | every setting, readable by `--config` |
/// | `kernel-choices.txt` | what a GPU's kernels chose by timing, if anything; resuming follows it |
/// | `environment.json` | version, Java, system and processor of the last start |
/// | `metrics.jsonl` | one {@link Metrics} per update |
/// | `evaluations.jsonl` | mean rewards of fixed images, before, during and after training |
/// | `reward.svg` | both as curves |
/// | `diversity.jsonl` | one {@link Diverse} per sample grid, where there is a CLIP |
/// | `samples/update-000010.png` | images of fixed prompts and seeds |
/// | `tensorboard/` | event files: the same curves and pictures |
/// | `report.html` | all of it on one page |
/// | `checkpoints/update-000010/` | what resuming needs, and the LoRA so far |
/// | `lora/pytorch_lora_weights.safetensors` | the result |
/// | `model/` | the result where the whole UNet is trained: a diffusers folder |
public final class RunDirectory implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String METRICS = "metrics.jsonl";
    private static final String DIVERSITY = "diversity.jsonl";

    /// What a process that was killed can leave behind: half of a checkpoint, half of a file.
    private static final Pattern LEFTOVER = Pattern.compile("\\.saving-.*|\\..+\\.(html|json|jsonl|md|png|safetensors|svg|txt)\\.\\d+\\.tmp");

    /// Which prompts an evaluation's images are of.
    public enum PromptKind {
        @JsonProperty("training") TRAINING, @JsonProperty("held-out") HELD_OUT
    }

    /// The mean reward of an evaluation's images of a kind: a line of `evaluations.jsonl`.
    ///
    /// @param update after how many updates; 0 before training
    /// @param tracked likewise of what is measured beside the reward, as `track/NAME`
    public record Evaluated(int update, PromptKind prompts, int images, @JsonProperty("reward_mean") double rewardMean, @JsonAnySetter @JsonAnyGetter Map<String, Double> tracked) {
    }

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

    /// Where a run keeps what was chosen by timing.
    public static Path kernelChoicesOf(Path run) {
        return run.resolve("kernel-choices.txt");
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

    /// The folder of a result that is a whole model.
    public Path modelFolder() {
        return folder.resolve("model");
    }

    /// Writes a whole model under another name and puts it in the place of {@link #modelFolder}.
    ///
    /// @throws IOException if it cannot be written; nothing half-written is left
    Path replaceModel(Checkpoint.Content content) throws IOException {
        Path fresh = Files.createTempDirectory(folder, ".saving-");
        try {
            content.write(fresh);
            OutputFolder.deleteTree(modelFolder());
            return Files.move(fresh, modelFolder(), StandardCopyOption.ATOMIC_MOVE);
        } finally {
            OutputFolder.deleteTree(fresh);
        }
    }

    /// A file of sample images, e.g. `samples/update-000010.png`.
    public Path sample(String name) throws IOException {
        return Files.createDirectories(folder.resolve("samples")).resolve(name + ".png");
    }

    /// The picture of the rewards so far.
    public Path rewardChart() {
        return folder.resolve("reward.svg");
    }

    /// As files call the state after so many updates.
    public static String updateName(int updates) {
        return "update-%06d".formatted(updates);
    }

    public void writeConfig(JsonNode config) throws IOException {
        AtomicFile.writeString(configOf(folder), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(config) + "\n");
    }

    /// Writes down what the run ran on.
    public void writeEnvironment(Map<String, String> environment) throws IOException {
        AtomicFile.writeString(folder.resolve("environment.json"), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(environment) + "\n");
    }

    /// Writes down what an update took.
    public void writeProfile(JsonNode profile) throws IOException {
        AtomicFile.writeString(folder.resolve("profile.json"), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(profile) + "\n");
    }

    /// Where TensorBoard's event files go.
    public Path tensorBoard() {
        return folder.resolve("tensorboard");
    }

    private Path metricsFile() {
        return folder.resolve(METRICS);
    }

    private JsonLines metrics() {
        return new JsonLines(metricsFile());
    }

    private JsonLines evaluations() {
        return new JsonLines(folder.resolve("evaluations.jsonl"));
    }

    /// Adds a line to `metrics.jsonl`, all of it or nothing.
    ///
    /// @throws IOException if it cannot be written
    public void append(Metrics line) throws IOException {
        metrics().append(line);
    }

    /// Writes an evaluation down in `evaluations.jsonl`, in place of what is there of as many updates or more, and draws `reward.svg` anew.
    ///
    /// @param reward its name
    /// @param lines of one evaluation
    /// @throws IOException if a file cannot be read or written
    public void append(String reward, List<Evaluated> lines) throws IOException {
        JsonLines evaluations = evaluations();
        evaluations.keepUpTo(lines.getFirst().update() - 1);
        for (Evaluated line : lines) {
            evaluations.append(line);
        }
        AtomicFile.writeString(rewardChart(), RewardChart.svg(reward, metrics().read(RewardChart.Update.class), evaluations.read(Evaluated.class)));
    }

    /// How much images of one prompt differ: a line of `diversity.jsonl`.
    ///
    /// @param update updates made before
    /// @param images that were compared with others of their prompt
    /// @param diversity mean of 1 − cosine of CLIP features over the pairs within a prompt
    public record Diverse(int update, int images, double diversity) {
    }

    private JsonLines diversities() {
        return new JsonLines(folder.resolve(DIVERSITY));
    }

    /// Writes a measurement down, in place of what is there of as many updates or more.
    ///
    /// @throws IOException if the file cannot be read or written
    public void append(Diverse line) throws IOException {
        diversities().keepUpTo(line.update() - 1);
        diversities().append(line);
    }

    /// All evaluations so far, in order.
    ///
    /// @throws IOException if the file cannot be read
    public List<Evaluated> evaluated() throws IOException {
        return evaluations().read(Evaluated.class);
    }

    /// What a reader of a finished run needs of an update.
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Progress(int update, int k, @JsonProperty("reward_mean") double rewardMean, double seconds, @JsonProperty("peak_bytes") long peakBytes) {
    }

    /// All updates of a run.
    ///
    /// @throws IOException if the file cannot be read
    public static List<Progress> progressOf(Path run) throws IOException {
        return new JsonLines(run.resolve(METRICS)).read(Progress.class);
    }

    /// All measurements of a run's diversity; none without a CLIP.
    ///
    /// @throws IOException if the file cannot be read
    public static List<Diverse> diversityOf(Path run) throws IOException {
        return new JsonLines(run.resolve(DIVERSITY)).read(Diverse.class);
    }

    /// Makes the folder that of a run which has done so many updates and goes on from there: drops what later updates and a killed process left.
    public void rewind(int updates) throws IOException {
        for (Path part : List.of(folder, checkpoints(), folder.resolve("samples"), folder.resolve("lora"))) {
            removeLeftovers(part);
        }
        Checkpoint.dropAfter(checkpoints(), updates);
        metrics().keepUpTo(updates);
        evaluations().keepUpTo(updates);
        diversities().keepUpTo(updates);
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
