package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.RunDirectory;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.experiment.Dress;
import dev.retrograd.trainer.experiment.Lab;
import dev.retrograd.trainer.experiment.Trained;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraMix;
import dev.retrograd.unet.LoraWeights;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.Set;
import picocli.CommandLine;

/// Runs an experiment's trainings and measurements as the commands `train` and `evaluate` do, in this process.
final class ExperimentLab implements Lab {
    private static final String TRAIN = "train";
    private static final String EVALUATE = "evaluate";
    private static final String EXPERIMENT = "experiment";
    /// Change where and how fast, and no number.
    private static final Set<String> NO_MATTER = Set.of("threads", "keep-checkpoints", "cuda-graphs");
    private static final int HASH_DIGITS = 16;
    /// The paper's.
    private static final String DEFAULT_REWARD = "aesthetic";

    private final Main main;
    private final PrintWriter out;
    private final PrintWriter err;
    private final Interrupt interrupt;
    private final Forwarded given;
    private final Settings settings;

    /// What is the experiment's own.
    ///
    /// @param folder of the results
    /// @param cache folder of trained runs
    /// @param embedded whether the model is the one inside the jar
    record Settings(boolean quick, long seed, Path folder, Path cache, boolean embedded, String secondReward) {
    }

    ExperimentLab(Main main, PrintWriter out, PrintWriter err, Interrupt interrupt, Forwarded given, Settings settings) {
        this.main = main;
        this.out = out;
        this.err = err;
        this.interrupt = interrupt;
        this.given = given;
        this.settings = settings;
    }

    @Override public boolean quick() {
        return settings.quick;
    }

    @Override public long seed() {
        return settings.seed;
    }

    @Override public boolean embedded() {
        return settings.embedded;
    }

    @Override public String secondReward() {
        return settings.secondReward;
    }

    @Override public String reward() {
        return String.join("+", given.values().getOrDefault("reward", List.of(DEFAULT_REWARD)));
    }

    @Override public Path folder() {
        return settings.folder;
    }

    @Override public int steps() throws IOException {
        return parsed(EVALUATE, evaluation(List.of())).settings().get("steps").asInt();
    }

    /// A command that was parsed and not run.
    private record Parsed(CommandLine command, ObjectNode settings) {
    }

    private Parsed parsed(String name, List<String> arguments) throws IOException {
        String[] all = line(name, arguments);
        CommandLine program = main.commandLine().setOut(out).setErr(err);
        SettingsLayers.install(program, all);
        program.parseArgs(all);
        CommandLine command = program.getSubcommands().get(name);
        return new Parsed(command, dev.retrograd.trainer.cli.Settings.of(command));
    }

    private static String[] line(String name, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of(name));
        all.addAll(arguments);
        return all.toArray(String[]::new);
    }

    /// Layers of settings for a command: the experiments' preset, what the user gave, what must be.
    private List<String> layered(String command, List<String> presets, Map<String, List<String>> needed) throws IOException {
        SequencedMap<String, List<String>> all = new LinkedHashMap<>();
        all.put("reward", List.of(DEFAULT_REWARD));
        for (String preset : presets) {
            SettingsLayers.preset(preset).properties().forEach(e -> all.put(e.getKey(), List.of(e.getValue().asText())));
        }
        SequencedMap<String, List<String>> users = given.to(main.commandLine().getSubcommands().get(command).getCommandSpec());
        if (users.containsKey("batch-size")) {
            all.put("micro-batch-size", users.get("batch-size"));
        }
        needed.forEach(all::put);
        if (users.containsKey("prompt")) {
            all.remove("prompts");
        }
        all.putAll(users);
        return Forwarded.arguments(all);
    }

    private static Map<String, List<String>> pairs(List<String> settings) {
        SequencedMap<String, List<String>> all = new LinkedHashMap<>();
        settings.forEach(s -> all.put(s.substring(0, s.indexOf('=')), List.of(s.substring(s.indexOf('=') + 1))));
        return all;
    }

    /// Those of the experiments for what is done.
    ///
    /// @param tasks from the general to the special, such as `train`, `train --method ddpo`
    private List<String> presets(String... tasks) {
        if (!settings.embedded) {
            return settings.quick ? Arrays.stream(tasks).map(t -> EXPERIMENT + " --quick --model " + t).toList() : List.of();
        }
        List<String> all = new ArrayList<>(List.of(EXPERIMENT));
        Arrays.stream(tasks).map(t -> EXPERIMENT + " " + t).forEach(all::add);
        if (settings.quick) {
            Arrays.stream(tasks).map(t -> EXPERIMENT + " --quick " + t).forEach(all::add);
        }
        return all;
    }

    @Override public Trained trained(String name, List<String> wanted) throws IOException {
        Map<String, List<String>> needed = pairs(wanted);
        List<String> arguments = layered(TRAIN, presets(TRAIN, TRAIN + " --method " + needed.get("method").getFirst()), needed);
        ObjectNode all = parsed(TRAIN, arguments).settings();
        Path folder = settings.cache.resolve(needed.get("method").getFirst() + "-" + hash(all));
        if (!isFinished(folder)) {
            boolean begun = Files.exists(RunDirectory.configOf(folder));
            out.println("\n" + name + ": " + (begun ? "going on in " : "training in ") + folder);
            List<String> call = new ArrayList<>(begun ? List.of("--resume=" + folder) : arguments);
            call.add("--output=" + folder);
            run(name, call);
        } else {
            out.println("\n" + name + ": trained already, in " + folder);
        }
        out.flush();
        return new Trained(name, folder, all);
    }

    private void run(String name, List<String> call) throws IOException {
        StringWriter said = new StringWriter();
        int code = main.execute(out, new PrintWriter(said), line(TRAIN, call));
        String failure = name + ": " + said.toString().strip().replaceFirst("^retrograd( train)?: ", "");
        switch (code) {
            case ExitCode.DONE -> err.print(said);
            case ExitCode.INTERRUPTED -> throw new StopRequested();
            case ExitCode.USAGE -> throw new SettingException(failure);
            default -> throw new IOException(failure);
        }
        if (interrupt.requested()) {
            throw new StopRequested();
        }
    }

    /// The result is what a run writes last.
    private static boolean isFinished(Path run) {
        return Files.exists(run.resolve("lora").resolve(LoraFile.NAME)) || Files.isDirectory(run.resolve("model").resolve("unet"));
    }

    /// Of everything that a run is a function of: its settings, the model inside the jar, the program.
    private String hash(ObjectNode all) throws IOException {
        ObjectNode what = all.deepCopy();
        what.remove(NO_MATTER);
        what.put("program", Main.Version.current());
        if (settings.embedded) {
            what.put("miniature", EmbeddedModel.digest());
        }
        SequencedMap<String, JsonNode> sorted = new java.util.TreeMap<>();
        what.properties().forEach(e -> sorted.put(e.getKey(), e.getValue()));
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(new ObjectMapper().writeValueAsString(sorted).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest).substring(0, HASH_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private List<String> evaluation(List<String> wanted) throws IOException {
        return layered(EVALUATE, presets(EVALUATE), pairs(wanted));
    }

    private Evaluate evaluating(Extent extent) throws IOException {
        List<String> wanted = new ArrayList<>(List.of("images-per-prompt=" + extent.imagesPerPrompt(), "max-prompts=" + (settings.quick ? Math.min(extent.quickPrompts(), extent.maxPrompts()) : extent.maxPrompts())));
        if (!extent.track().isEmpty()) {
            wanted.add("track=" + String.join(",", extent.track()));
        }
        return parsed(EVALUATE, evaluation(wanted)).command().getCommand();
    }

    /// Refuses what could not be measured, before anything is trained.
    void requireMeasurable() throws IOException {
        evaluating(new Extent(1, 1, 1, List.of(), false)).evaluation().request(settings.embedded);
    }

    @Override public List<String> prompts(String set, Extent extent) throws IOException {
        return evaluating(extent).evaluation().request(settings.embedded).sets().stream().filter(s -> s.name().equals(set)).findFirst().orElseThrow().prompts();
    }

    @Override public Comparison measure(SequencedMap<String, Dress> models, Extent extent) throws IOException {
        out.println("\nmeasuring " + String.join(", ", models.keySet()));
        Evaluate evaluate = evaluating(extent);
        EvaluationOptions.Request request = evaluate.evaluation().request(settings.embedded);
        SequencedMap<String, EvaluationOptions.Dressing> dresses = new LinkedHashMap<>();
        models.forEach((name, dress) -> dresses.put(name, dressing(dress)));
        Comparison comparison = evaluate.evaluation().measure(out, interrupt, evaluate.model(), extent.keepAll() ? request.keepingAll() : request, dresses);
        out.print(comparison.table().text());
        out.flush();
        return comparison;
    }

    private static EvaluationOptions.Dressing dressing(Dress dress) {
        return switch (dress) {
            case Dress.Base _ -> Worn::nothing;
            case Dress.Lora(Path file) -> model -> Worn.loras(model, LoraOptions.attach(model, List.of(new LoraOptions.Choice(file, 1))));
            case Dress.Gated(Path file, var steps) -> model -> Worn.gated(model, LoraWeights.of(model, LoraFile.read(file, OptionalDouble.empty()), 1), steps);
            case Dress.Mix(var parts) -> model -> Worn.loras(model, new LoraOptions.Attached(List.of(LoraWeights.of(model, LoraMix.exact(parts), 1))));
            case Dress.Whole(Path other) -> model -> Worn.whole(dev.retrograd.unet.StableDiffusion.load(model.backend(), other, ModelOptions.reading(null, null, 0)));
        };
    }
}
