package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.rewards.BlackBoxSum;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.JpegSettings;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.Scoring;
import dev.retrograd.rewards.TargetReward;
import dev.retrograd.rewards.WeightedSum;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.owlvit.ConceptRemoval;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.trainer.pretrain.PictureJudge;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/// What is raised, and what is watched beside it.
final class RewardOptions {
    /// Images that a black box in a sum is given together with.
    private static final int AT_ONCE = 1;
    /// What is raised where nothing is named.
    static final String DEFAULT = "compressibility";

    @Option(names = "--reward", paramLabel = "REWARD[:WEIGHT][@TARGET]", split = ",|" + Settings.SEPARATOR, defaultValue = DEFAULT, hideParamSyntax = true,
            description = "compressibility (minus the KB of a JPEG file, estimated), incompressibility, aesthetic (LAION's predictor, about 1..10), hps (human preference of image and prompt, version 2: the cosine, of which papers print ten times), "
                    + "pickscore (which image people pick: cosine times the model's logit scale), clip (cosine of image and prompt), concept-removal (1 - OWL-ViT's confidence in --query), object-count (-|--count - objects|, by OWL-ViT), "
                    + "fitted (a head that fit-reward made), or one of --plugin. Several add up, each times its weight, 1 where none is given; aesthetic@7 is -|7 - aesthetic|; default: ${DEFAULT-VALUE}.")
    private List<String> rewards;

    @Option(names = "--reward-model", paramLabel = "[REWARD=]PATH", split = Settings.SEPARATOR, hideParamSyntax = true,
            description = "The reward's model; the model inside the jar has small ones of its own for aesthetic, hps, pickscore, clip and fitted. For clip, pickscore, fitted and aesthetic CLIP as a transformers folder; "
                    + "for hps HPS_v2_compressed.pt, a folder with it, or a CLIP of transformers' that was trained on preferences; for concept-removal and object-count OWL-ViT as a transformers folder. With several rewards, one for each, as in aesthetic=DIR.")
    private List<String> rewardModels;

    @Option(names = "--reward-head", paramLabel = "[REWARD=]FILE", split = Settings.SEPARATOR, hideParamSyntax = true,
            description = "Head on the features of --reward-model: for fitted what fit-reward wrote, for aesthetic sac+logos+ava1-l14-linearMSE.pth where that is not in the model's folder.")
    private List<String> rewardHeads;

    @Option(names = "--track", paramLabel = "REWARD", split = ",|" + Settings.SEPARATOR, hideParamSyntax = true,
            description = "Rewards that are logged beside the trained one and never trained: those of --reward, jpeg-size (KB of a real JPEG file), and picture-rating (the rule behind the miniature's aesthetic head, 0..10) with its parts "
                    + "picture-centred, picture-large, picture-saturated, picture-clean (0..1), and judge (whether a picture shows the shape and colour that its prompt names first, says a classifier of the miniature's world that no reward uses: 0 or 1); as track/REWARD in metrics.jsonl.")
    private List<String> tracked;

    @Option(names = "--plugin", paramLabel = "PATH", split = Settings.SEPARATOR, hideParamSyntax = true,
            description = "Adds rewards of your own: a Java source file, a jar or a folder of classes with a dev.retrograd.rewards.RewardProvider.")
    private List<Path> plugins;

    @Option(names = "--query", paramLabel = "TEXT", description = "What --reward concept-removal removes (default: " + ConceptRemoval.DEFAULT_QUERY + ") or object-count counts.")
    private String query;

    @Option(names = "--count", paramLabel = "N", description = "How many objects --reward object-count wants.")
    private Double count;

    @Option(names = "--reward-antialias", description = "Widen the filter when images shrink for --reward aesthetic and hps, as newer versions of torchvision do; default: not, as in the paper.")
    private boolean rewardAntialias;

    @Option(names = "--jpeg-quality", paramLabel = "Q", defaultValue = "95", description = "Quality of the JPEG whose size is meant, 1..100; default: ${DEFAULT-VALUE}.")
    private int jpegQuality;

    @Option(names = "--target", paramLabel = "R", description = "Minimise |R - reward|, of the sum of all, instead of raising it without end.")
    private Double target;

    /// A reward whose settings were found possible, and whose files were not looked at.
    @FunctionalInterface interface Loader<R extends Reward> {

        /// The reward, on a backend; its constants and weights live until it is closed.
        ///
        /// @throws IOException if its model is missing, damaged or not supported
        R on(Backend backend) throws IOException;
    }

    /// What the flags ask to raise, for a method that sends its gradient back.
    ///
    /// @param embedded whether the images are those of the miniature model inside the jar, beside which small rewards lie
    /// @throws SettingException if that cannot be
    /// @throws IOException if a plugin does not load
    Loader<DifferentiableReward> choose(boolean embedded) throws IOException {
        List<RewardChoice> choices = choices();
        choices.stream().map(RewardChoice::name).filter(n -> BuiltInReward.named(n).filter(BuiltInReward::blackBox).isPresent()).findFirst().ifPresent(n -> {
            throw refuseBlackBox(n);
        });
        Loader<Reward> loader = chooseAny(embedded);
        return b -> {
            Reward reward = loader.on(b);
            if (reward instanceof DifferentiableReward differentiable) {
                return differentiable;
            }
            reward.close();
            throw refuseBlackBox(reward.name());
        };
    }

    private static SettingException refuseBlackBox(String name) {
        return new SettingException("--reward: must have a gradient with this --method, got " + name + ", which has none; --method ddpo and rwr take it, and --track measures it");
    }

    /// What the flags ask to raise, for a method that needs values only.
    ///
    /// @param embedded as in {@link #choose}
    /// @throws SettingException if that cannot be
    /// @throws IOException if a plugin does not load
    Loader<Reward> chooseAny(boolean embedded) throws IOException {
        List<RewardChoice> choices = choices();
        RewardLoaders loaders = loaders(embedded);
        List<Loader<Reward>> found = new ArrayList<>();
        for (RewardChoice choice : choices) {
            found.add(loaders.of("--reward", choice.name()));
        }
        return b -> sum(b, choices, found);
    }

    /// What the flags call the reward, such as `aesthetic:0.5@7+hps`.
    String label() {
        return String.join("+", rewards).toLowerCase(Locale.ROOT);
    }

    /// What is logged beside the reward, by the names that the flags give it.
    ///
    /// @param embedded as in {@link #choose}
    /// @throws SettingException if that cannot be
    /// @throws IOException if a plugin does not load
    SequencedMap<String, Loader<Reward>> track(boolean embedded) throws IOException {
        RewardLoaders loaders = loaders(embedded);
        SequencedMap<String, Loader<Reward>> all = new LinkedHashMap<>();
        for (String name : trackedNames()) {
            all.put(name, loaders.of("--track", name));
        }
        return all;
    }

    /// Loads what {@link #track} chose.
    ///
    /// @param atOnce images that are scored together
    /// @throws IOException if a model is missing, damaged or not supported
    static Tracked load(SequencedMap<String, Loader<Reward>> chosen, Backend backend, int atOnce) throws IOException {
        SequencedMap<String, Reward> loaded = new LinkedHashMap<>();
        boolean done = false;
        try {
            for (Map.Entry<String, Loader<Reward>> e : chosen.entrySet()) {
                loaded.put(e.getKey(), e.getValue().on(backend));
            }
            done = true;
            return new Tracked(loaded, new Scoring(backend, atOnce));
        } finally {
            if (!done) {
                loaded.values().forEach(Reward::close);
            }
        }
    }

    /// A CLIP folder that one of the rewards reads, if any.
    Optional<Path> clip() {
        NamedPaths models = named("--reward-model", rewardModels, BuiltInReward::takesModel, true);
        return Stream.of(BuiltInReward.CLIP, BuiltInReward.AESTHETIC, BuiltInReward.FITTED).flatMap(r -> models.of(r.id()).stream()).findFirst();
    }

    /// Refuses prompts that what is tracked could not score.
    ///
    /// @throws SettingException naming the first
    void requireScorable(List<String> prompts) {
        if (trackedNames().contains(BuiltInReward.JUDGE.id())) {
            PictureJudge.named(prompts);
        }
    }

    private Set<String> trackedNames() {
        return new LinkedHashSet<>(Objects.requireNonNullElse(tracked, List.of()));
    }

    private RewardLoaders loaders(boolean embedded) throws IOException {
        Plugins known = Plugins.load(Objects.requireNonNullElse(plugins, List.of()));
        RewardLoaders.Options options = new RewardLoaders.Options(Optional.ofNullable(query), Optional.ofNullable(count), new Resampling(ClipPreprocessing.ALIGNPROP.filter(), rewardAntialias),
                SettingException.named("--jpeg-quality", () -> new JpegSettings(jpegQuality, JpegSettings.Chroma.HALF)));
        return new RewardLoaders(embedded, known, named("--reward-model", rewardModels, BuiltInReward::takesModel, true), named("--reward-head", rewardHeads, BuiltInReward::takesHead, false), options);
    }

    /// @param takes whether a reward takes such a file
    /// @param plugin whether one of a plugin's does
    private NamedPaths named(String flag, List<String> values, Predicate<BuiltInReward> takes, boolean plugin) {
        Stream<String> names = Stream.concat(choices().stream().map(RewardChoice::name), trackedNames().stream()).distinct();
        return new NamedPaths(flag, Objects.requireNonNullElse(values, List.of()), names.filter(n -> BuiltInReward.named(n).map(takes::test).orElse(plugin)).toList());
    }

    private List<RewardChoice> choices() {
        List<RewardChoice> choices = rewards.stream().map(RewardChoice::parse).toList();
        Set<String> names = new LinkedHashSet<>();
        choices.stream().filter(c -> !names.add(c.name())).findFirst().ifPresent(c -> {
            throw new SettingException("--reward: each reward must be given once, got " + c.name() + " twice");
        });
        names.stream().filter(n -> BuiltInReward.named(n).filter(BuiltInReward::onlyTracked).isPresent()).findFirst().ifPresent(n -> {
            throw new SettingException("--reward: must be one that training may raise, got " + n + ", which only --track measures");
        });
        return choices;
    }

    private static Reward sum(Backend backend, List<RewardChoice> choices, List<Loader<Reward>> loaders) throws IOException {
        List<Reward> loaded = new ArrayList<>();
        boolean done = false;
        try {
            for (Loader<Reward> loader : loaders) {
                loaded.add(loader.on(backend));
            }
            Reward all = sum(backend, choices, loaded, loaded.stream().allMatch(r -> r instanceof DifferentiableReward));
            done = true;
            return all;
        } finally {
            if (!done) {
                loaded.forEach(Reward::close);
            }
        }
    }

    private static Reward sum(Backend backend, List<RewardChoice> choices, List<Reward> rewards, boolean differentiable) {
        RewardChoice first = choices.getFirst();
        if (choices.size() == 1 && first.weight().isEmpty() && first.target().isEmpty()) {
            return rewards.getFirst();
        }
        if (!differentiable) {
            List<BlackBoxSum.Term> terms = new ArrayList<>();
            for (int i = 0; i < rewards.size(); i++) {
                terms.add(new BlackBoxSum.Term(rewards.get(i), choices.get(i).weight().orElse(1), choices.get(i).target()));
            }
            return new BlackBoxSum(terms, new Scoring(backend, AT_ONCE));
        }
        List<WeightedSum.Term> terms = new ArrayList<>();
        for (int i = 0; i < rewards.size(); i++) {
            DifferentiableReward reward = (DifferentiableReward) rewards.get(i);
            RewardChoice choice = choices.get(i);
            terms.add(new WeightedSum.Term(choice.target().isPresent() ? new TargetReward(reward, choice.target().getAsDouble()) : reward, choice.weight().orElse(1)));
        }
        return terms.size() == 1 && first.weight().isEmpty() ? terms.getFirst().reward() : new WeightedSum(terms);
    }

    /// Refuses what only a loss has.
    ///
    /// @throws SettingException if `--target` is given
    void requireNoTarget() {
        SettingException.require(target == null, "--target", "left out where nothing is trained (REWARD@TARGET measures a distance)", target);
    }

    RewardLoss loss() {
        return target == null ? new RewardLoss.Maximise() : SettingException.named("--target", () -> new RewardLoss.Target(target));
    }
}
