package dev.retrograd.trainer.cli;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.RunDirectory;
import dev.retrograd.trainer.SettingException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What `--resume` names: a run, and the checkpoints in it to go on from.
///
/// @param run folder of the run; empty if `--resume` was not given, or found none
/// @param checkpoints to go on from, newest first: an older one where a newer one is damaged; none if there are none yet
record Resume(Optional<Path> run, List<Path> checkpoints) {
    static final Path RUNS = Path.of("runs");
    /// No run is resumed.
    static final Resume NONE = new Resume(Optional.empty(), List.of());
    private static final String LATEST = "latest";
    private static final String NOTE = ".latest";
    private static final Pattern RUN_NAME = Pattern.compile("[^/\\\\]{1,255}");

    /// @param resume `latest`, a run folder or a checkpoint folder; null if it was not given
    /// @param output run folder of this call; null if it was not given
    /// @throws IOException if a folder that was named does not exist or cannot be read
    static Resume find(String resume, Path output) throws IOException {
        if (resume == null) {
            return NONE;
        }
        if (resume.equals(LATEST)) {
            Optional<Path> run = output != null ? Optional.of(output) : newestRun();
            return new Resume(run, run.isPresent() ? newestFirst(run.get()) : List.of());
        }
        SettingException.require(!resume.isEmpty(), "--resume", "a run, one of its checkpoints, or latest", "nothing");
        Path named = SettingException.named("--resume", () -> Path.of(resume));
        if (!Files.isDirectory(named)) {
            throw new IOException(named + ": --resume needs the folder of a run or of one of its checkpoints, or 'latest'");
        }
        boolean isCheckpoint = RunDirectory.isCheckpoint(named);
        Path run = isCheckpoint ? named.toAbsolutePath().getParent().getParent() : named;
        if (output != null && !output.toAbsolutePath().normalize().equals(run.toAbsolutePath().normalize())) {
            throw new SettingException("--output: must be the resumed run " + run + " or be left out, got " + output);
        }
        return new Resume(Optional.of(run), isCheckpoint ? List.of(named) : newestFirst(run));
    }

    private static List<Path> newestFirst(Path run) throws IOException {
        return RunDirectory.checkpointsOf(run).reversed();
    }

    /// Notes that a run is the latest one, where it is in the usual folder: clocks go back, and copies are newer than what was copied.
    ///
    /// @throws IOException if that cannot be written
    static void remember(Path run) throws IOException {
        if (RUNS.toAbsolutePath().equals(run.toAbsolutePath().normalize().getParent())) {
            AtomicFile.writeString(RUNS.resolve(NOTE), run.getFileName() + "\n");
        }
    }

    private static Optional<Path> noted() throws IOException {
        Path note = RUNS.resolve(NOTE);
        if (!Files.isRegularFile(note)) {
            return Optional.empty();
        }
        String name = Files.readString(note).strip();
        return RUN_NAME.matcher(name).matches() ? Optional.of(RUNS.resolve(name)) : Optional.empty();
    }

    private static Optional<Path> newestRun() throws IOException {
        if (!Files.isDirectory(RUNS)) {
            return Optional.empty();
        }
        Optional<Path> noted = noted();
        if (noted.isPresent() && Files.isRegularFile(RunDirectory.configOf(noted.get()))) {
            return noted;
        }
        try (Stream<Path> runs = Files.list(RUNS)) {
            return runs.filter(r -> Files.isRegularFile(RunDirectory.configOf(r))).max(Comparator.comparing(r -> r.toFile().lastModified()));
        }
    }

    /// The settings of the resumed run, where it has written them.
    Optional<Path> config() {
        return run.map(RunDirectory::configOf).filter(Files::isRegularFile);
    }

    /// Says that a run which was to go on begins anew.
    void say(PrintWriter out) {
        out.println("no checkpoint in " + run.orElse(RUNS) + ": starting at update 0");
    }
}
