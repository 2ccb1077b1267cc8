package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import dev.retrograd.rewards.JpegSettings;
import dev.retrograd.rewards.WeightedSum;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.rewards.owlvit.ConceptRemoval;
import dev.retrograd.rewards.owlvit.ObjectCount;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.trainer.pretrain.ModelFolder;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import picocli.CommandLine.Option;

/// What is raised.
final class RewardOptions {
    private static final String CLIP_FOLDER = "a folder with CLIP in transformers' layout";

    @Option(names = "--reward", paramLabel = "REWARD[:WEIGHT]", split = ",|" + Settings.SEPARATOR, defaultValue = "compressibility", hideParamSyntax = true,
            description = "compressibility (minus the KB of a JPEG file), incompressibility, aesthetic (LAION's predictor), hps (human preference of image and prompt, version 2), "
                    + "concept-removal (1 - OWL-ViT's confidence in --query), object-count (-|--count - objects|, by OWL-ViT), clip (similarity of image and prompt), "
                    + "or fitted (a head that fit-reward made). Several add up, each times its weight, 1 where none is given; default: ${DEFAULT-VALUE}.")
    private List<String> rewards;

    @Option(names = "--reward-model", paramLabel = "[REWARD=]PATH", split = Settings.SEPARATOR, hideParamSyntax = true,
            description = "The reward's model; the model inside the jar has small ones of its own for aesthetic, hps, clip and fitted. For clip and fitted CLIP as a transformers folder; for aesthetic the same with sac+logos+ava1-l14-linearMSE.pth in it; "
                    + "for hps HPS_v2_compressed.pt, a folder with it, or a CLIP of transformers' that was trained on preferences; for concept-removal and object-count OWL-ViT as a transformers folder. With several rewards, one for each, as in aesthetic=DIR.")
    private List<String> rewardModels;

    @Option(names = "--query", paramLabel = "TEXT", description = "What --reward concept-removal removes (default: " + ConceptRemoval.DEFAULT_QUERY + ") or object-count counts.")
    private String query;

    @Option(names = "--count", paramLabel = "N", description = "How many objects --reward object-count wants.")
    private Double count;

    @Option(names = "--reward-antialias", description = "Widen the filter when images shrink for --reward aesthetic and hps, as newer versions of torchvision do; default: not, as in the paper.")
    private boolean rewardAntialias;

    @Option(names = "--reward-head", paramLabel = "FILE", description = "Head on the features of --reward-model, for --reward fitted.")
    private Path rewardHead;

    @Option(names = "--jpeg-quality", paramLabel = "Q", defaultValue = "95", description = "Quality of the JPEG whose size is meant, 1..100; default: ${DEFAULT-VALUE}.")
    private int jpegQuality;

    @Option(names = "--target", paramLabel = "R", description = "Minimise |R - reward| instead of raising the reward without end.")
    private Double target;

    /// A reward whose settings were found possible, and whose files were not looked at.
    @FunctionalInterface interface Loader {

        /// The reward, on a backend; its constants and weights live until it is closed.
        ///
        /// @throws IOException if its model is missing, damaged or not supported
        DifferentiableReward on(Backend backend) throws IOException;
    }

    private record Weighted(Loader loader, OptionalDouble weight) {
    }

    /// What the flags ask for.
    ///
    /// @param embedded whether the images are those of the miniature model inside the jar, beside which small rewards lie
    /// @throws SettingException if that cannot be
    Loader choose(boolean embedded) {
        List<RewardChoice> choices = choices();
        requireKnownModels(choices);
        List<Weighted> chosen = choices.stream().map(c -> new Weighted(loader(c, embedded), c.weight())).toList();
        return chosen.size() == 1 && chosen.getFirst().weight().isEmpty() ? chosen.getFirst().loader() : b -> sum(b, chosen);
    }

    private static WeightedSum sum(Backend backend, List<Weighted> chosen) throws IOException {
        List<WeightedSum.Term> terms = new ArrayList<>();
        boolean loaded = false;
        try {
            for (Weighted one : chosen) {
                terms.add(new WeightedSum.Term(one.loader().on(backend), one.weight().orElse(1)));
            }
            loaded = true;
            return new WeightedSum(terms);
        } finally {
            if (!loaded) {
                terms.forEach(t -> t.reward().close());
            }
        }
    }

    private List<RewardChoice> choices() {
        List<RewardChoice> choices = rewards.stream().map(RewardChoice::parse).toList();
        for (RewardChoice.Kind kind : RewardChoice.Kind.values()) {
            if (choices.stream().filter(c -> c.kind() == kind).count() > 1) {
                throw new SettingException("--reward: each reward must be given once, got " + kind.id() + " twice");
            }
        }
        return choices;
    }

    private Loader loader(RewardChoice choice, boolean embedded) {
        return switch (choice.kind()) {
            case COMPRESSIBILITY -> jpeg(FileSizeGoal.SMALLER);
            case INCOMPRESSIBILITY -> jpeg(FileSizeGoal.LARGER);
            case AESTHETIC -> from(choice, "a folder with CLIP in transformers' layout and LAION's head", embedded, ModelFolder::clip,
                    (b, model) -> AestheticScore.load(b, model, resampling()));
            case HPS -> from(choice, "HPS_v2_compressed.pt or a folder with it", embedded, ModelFolder::preference,
                    (b, model) -> HumanPreferenceScore.load(b, model, Optional.of(tokenizer(model)), resampling()));
            case CONCEPT_REMOVAL -> {
                Path model = owlVit(choice);
                String concept = query == null ? ConceptRemoval.DEFAULT_QUERY : query();
                yield b -> ConceptRemoval.load(b, model, tokenizer(model), concept);
            }
            case OBJECT_COUNT -> {
                if (query == null || count == null) {
                    throw new SettingException("--reward object-count: needs --query, what is counted, and --count, how many there should be");
                }
                SettingException.require(count >= 0 && count < Double.POSITIVE_INFINITY, "--count", "0 or more", count);
                Path model = owlVit(choice);
                String object = query();
                yield b -> ObjectCount.load(b, model, tokenizer(model), object, count);
            }
            case CLIP -> from(choice, CLIP_FOLDER, embedded, ModelFolder::clip, ClipSimilarity::load);
            case FITTED -> {
                if (rewardHead == null) {
                    throw new SettingException("--reward fitted: needs --reward-head, a file that fit-reward wrote");
                }
                yield from(choice, CLIP_FOLDER, embedded, ModelFolder::clip, (b, model) -> FittedReward.load(b, model, rewardHead));
            }
        };
    }

    /// Loads a reward from a model's folder.
    @FunctionalInterface private interface FromModel {
        DifferentiableReward load(Backend backend, Path model) throws IOException;
    }

    /// A reward from the model that the flags name, or else from the small one beside the miniature.
    private Loader from(RewardChoice choice, String what, boolean embedded, Function<ModelFolder, Path> beside, FromModel load) {
        Optional<Path> named = named(choice);
        if (named.isEmpty() && embedded) {
            return b -> {
                try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
                    return load.load(b, beside.apply(miniature.files()));
                }
            };
        }
        Path model = named.orElseThrow(() -> needs(choice, what));
        return b -> load.load(b, model);
    }

    private Loader jpeg(FileSizeGoal goal) {
        JpegSettings settings = SettingException.named("--jpeg-quality", () -> new JpegSettings(jpegQuality, JpegSettings.Chroma.HALF));
        return b -> new JpegCompressibility(b, goal, settings);
    }

    private String query() {
        SettingException.require(!query.isBlank(), "--query", "a text", "'" + query + "'");
        return query;
    }

    private Path owlVit(RewardChoice choice) {
        return named(choice).orElseThrow(() -> needs(choice, "a folder with OWL-ViT in transformers' layout"));
    }

    /// Refuses models of rewards that are not asked for.
    private void requireKnownModels(List<RewardChoice> choices) {
        for (String given : rewardModels == null ? List.<String>of() : rewardModels) {
            boolean named = choices.stream().anyMatch(c -> given.startsWith(c.kind().id() + "="));
            if (!named && (choices.size() > 1 || rewardModels.size() > 1)) {
                throw new SettingException("--reward-model: with several, each must name its reward, as in " + choices.getFirst().kind().id() + "=PATH, got " + given);
            }
        }
    }

    private Optional<Path> named(RewardChoice choice) {
        String prefix = choice.kind().id() + "=";
        return (rewardModels == null ? List.<String>of() : rewardModels).stream().filter(m -> m.startsWith(prefix) || rewards.size() == 1).findFirst()
                .map(m -> Path.of(m.startsWith(prefix) ? m.substring(prefix.length()) : m));
    }

    private static SettingException needs(RewardChoice choice, String what) {
        return new SettingException("--reward " + choice.kind().id() + ": needs --reward-model, " + what);
    }

    private Resampling resampling() {
        return new Resampling(ClipPreprocessing.ALIGNPROP.filter(), rewardAntialias);
    }

    /// The folder's own tokenizer; CLIP's from the jar where there is none, as upstream's checkpoints come without.
    private static ClipTokenizer tokenizer(Path model) throws IOException {
        return Files.exists(model.resolve("vocab.json")) ? ClipTokenizer.load(model) : ClipTokenizer.standard();
    }

    RewardLoss loss() {
        return target == null ? new RewardLoss.Maximise() : SettingException.named("--target", () -> new RewardLoss.Target(target));
    }
}
