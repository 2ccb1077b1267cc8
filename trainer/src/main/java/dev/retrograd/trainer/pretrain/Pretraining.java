package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.core.Backend;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/// Builds the miniature model in a folder, stage by stage; started again it goes on where it stopped, to the same bytes.
///
/// The folder gets `model` (a diffusers folder), `clip`, `judge`, `preference`, `samples` (grids of each stage as it learns), `checkpoints`, `losses.csv` and
/// `report.json`.
public final class Pretraining {
    private static final String LOSSES = "losses.csv";
    private static final int PRINT_EVERY = 20;
    private static final int SAMPLES_PER_STAGE = 12;
    /// A kill loses about so much work at most: what comes out does not depend on when checkpoints are written.
    private static final double SECONDS_BETWEEN_CHECKPOINTS = 20;
    /// Grids of a stage's beginning: after so many updates, and after twice as many as before each.
    private static final int FIRST_SAMPLE = 50;

    private final Backend backend;
    private final Recipe recipe;
    private final Path folder;
    private final Consumer<String> lines;
    private final BooleanSupplier stop;

    /// @param folder is created; one that another recipe has begun is refused
    /// @param lines is told how it goes
    /// @param stop asked after each update; once it says yes, the state is saved
    public Pretraining(Backend backend, Recipe recipe, Path folder, Consumer<String> lines, BooleanSupplier stop) {
        this.backend = backend;
        this.recipe = recipe;
        this.folder = folder;
        this.lines = lines;
        this.stop = stop;
    }

    @FunctionalInterface private interface Opening {
        Stage open() throws IOException;
    }

    private record Step(String name, String task, Opening opening) {
    }

    /// The stages in their order.
    private List<Step> steps() {
        ModelFolder files = new ModelFolder(folder);
        return List.of(
                new Step("vae", "learns to turn pictures into latents and back", () -> new VaeStage(backend, recipe, files)),
                new Step("decoder", "learns sharper pictures of the same latents", () -> new DecoderStage(backend, recipe, files)),
                new Step("clip", "learns which caption belongs to which picture", () -> new ClipStage(backend, recipe, files)),
                new Step("judge", "learns to tell what a picture shows, for the measurements", () -> new JudgeStage(backend, recipe, files)),
                new Step("unet", "encodes %,d pictures, then learns to draw latents from captions".formatted(recipe.latents()), () -> new UNetStage(backend, recipe, files)),
                new Step("aesthetic", "rates pictures by rule, then learns to rate them", () -> new AestheticStage(backend, recipe, files)),
                new Step("preference", "learns which of two pictures is the better one for a caption", () -> new PreferenceStage(backend, recipe, files)));
    }

    /// Names of the stages, in their order.
    public static List<String> stages() {
        return List.of("vae", "decoder", "clip", "judge", "unet", "aesthetic", "preference", "check");
    }

    /// Runs what is left of these stages.
    ///
    /// @param names some of {@link #stages()}; each needs those before it, but `clip` and `judge` need none, `aesthetic` and `preference` only `clip`
    /// @return whether they are done; false after a stop
    /// @throws IOException if the folder belongs to another recipe, or a file cannot be read or written
    public boolean run(List<String> names) throws IOException {
        Files.createDirectories(folder.resolve("checkpoints"));
        Files.createDirectories(folder.resolve("samples"));
        requireSameRecipe();
        for (Step s : steps()) {
            if (names.contains(s.name) && !run(s)) {
                return false;
            }
        }
        if (names.contains("check")) {
            new Check(backend, recipe, new ModelFolder(folder)).run(lines);
        }
        return true;
    }

    private void requireSameRecipe() throws IOException {
        Path file = folder.resolve("recipe.txt");
        String text = recipe + "\n";
        if (!Files.exists(file)) {
            AtomicFile.writeString(file, text);
        } else if (!Files.readString(file).equals(text)) {
            throw new IllegalArgumentException(folder + ": must be a new folder or one begun with this recipe, got one begun with " + Files.readString(file).strip());
        }
    }

    private boolean run(Step step) throws IOException {
        Path done = folder.resolve("checkpoints/" + step.name + ".done");
        if (Files.exists(done)) {
            lines.accept(step.name + ": done already");
            return true;
        }
        long began = System.nanoTime();
        lines.accept(step.name + ": " + step.task);
        try (Stage stage = step.opening.open(); Fit fit = new Fit(backend, stage.parameters(), stage.settings())) {
            Path checkpoint = folder.resolve("checkpoints/" + stage.name() + ".safetensors");
            if (Files.exists(checkpoint)) {
                fit.restore(checkpoint);
                forgetLossesAfter(stage.name(), fit.step());
                lines.accept(stage.name() + ": goes on at step " + fit.step());
            }
            long weights = stage.parameters().stream().mapToLong(p -> p.value().elements()).sum();
            lines.accept("%s: %,d weights, %d steps of %d examples".formatted(stage.name(), weights, stage.settings().steps(), stage.settings().batch()));
            if (!fit(stage, fit, checkpoint)) {
                return false;
            }
            try (WeightEma.Swap _ = fit.averaged()) {
                stage.finish();
            }
            AtomicFile.writeString(done, "");
            lines.accept(step.name + ": done in " + duration((System.nanoTime() - began) / 1e9));
            return true;
        }
    }

    /// @return whether all updates are made
    private boolean fit(Stage stage, Fit fit, Path checkpoint) throws IOException {
        int steps = stage.settings().steps();
        int sampleEvery = Math.max(1, steps / SAMPLES_PER_STAGE);
        long saved = System.nanoTime();
        long reported = saved;
        int reportedStep = fit.step();
        while (!fit.done()) {
            Fit.Update update = fit.update(t -> stage.loss(t, fit.step()));
            boolean stopping = stop.getAsBoolean();
            if (fit.step() == 1 || fit.step() % PRINT_EVERY == 0 || fit.done()) {
                report(stage, update, secondsSince(reported), fit.step() - reportedStep);
                reported = System.nanoTime();
                reportedStep = fit.step();
            }
            if (shows(fit.step(), sampleEvery) || fit.done()) {
                sample(stage, fit);
            }
            if (secondsSince(saved) >= SECONDS_BETWEEN_CHECKPOINTS || fit.done() || stopping) {
                fit.save(checkpoint);
                saved = System.nanoTime();
            }
            if (stopping && !fit.done()) {
                lines.accept(stage.name() + ": stopped after step " + fit.step() + "; started again, it goes on from there");
                return false;
            }
        }
        return true;
    }

    /// Often at first, when most changes, then at even distances.
    static boolean shows(int step, int every) {
        return step % every == 0 || step < every && step % FIRST_SAMPLE == 0 && Integer.bitCount(step / FIRST_SAMPLE) == 1;
    }

    private static double secondsSince(long nanos) {
        return (System.nanoTime() - nanos) / 1e9;
    }

    /// The pace is that of the updates since the last line: what else runs on the machine changes. Too few tell none: the first ones of a process are slow.
    private void report(Stage stage, Fit.Update update, double seconds, int steps) throws IOException {
        String losses = update.losses().entrySet().stream().map(e -> e.getKey() + " " + number(e.getValue())).collect(Collectors.joining("  "));
        double secondsPerStep = seconds / steps;
        int left = stage.settings().steps() - update.step() - 1;
        String pace = steps < PRINT_EVERY && left > 0 ? "" : "  %.2f s/step, %s left".formatted(secondsPerStep, duration(secondsPerStep * left));
        lines.accept("%s %d/%d  %s  norm %s%s".formatted(stage.name(), update.step() + 1, stage.settings().steps(), losses, number(update.gradientNorm()), pace));
        String row = stage.name() + "," + (update.step() + 1) + "," + String.join(",", update.losses().values().stream().map(Pretraining::number).toList()) + "\n";
        Files.writeString(folder.resolve(LOSSES), row, java.nio.file.StandardOpenOption.CREATE, java.nio.file.StandardOpenOption.APPEND);
    }

    /// What an update after the checkpoint wrote is written again.
    private void forgetLossesAfter(String stage, int step) throws IOException {
        Path file = folder.resolve(LOSSES);
        if (Files.exists(file)) {
            String[] row;
            StringBuilder kept = new StringBuilder();
            for (String line : Files.readAllLines(file)) {
                row = line.split(",", 3);
                if (!row[0].equals(stage) || Integer.parseInt(row[1]) <= step) {
                    kept.append(line).append('\n');
                }
            }
            AtomicFile.writeString(file, kept.toString());
        }
    }

    private void sample(Stage stage, Fit fit) throws IOException {
        Path file = folder.resolve("samples/%s-%06d.png".formatted(stage.name(), fit.step()));
        try (WeightEma.Swap _ = fit.averaged()) {
            lines.accept(stage.name() + " " + fit.step() + ": " + file.getFileName() + "  " + stage.sample(file));
        }
    }

    /// `1:02:03` or `02:03`.
    private static String duration(double seconds) {
        Duration d = Duration.ofSeconds(Math.round(seconds));
        return (d.toHours() > 0 ? d.toHours() + ":" : "") + "%02d:%02d".formatted(d.toMinutesPart(), d.toSecondsPart());
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4g", value);
    }
}
