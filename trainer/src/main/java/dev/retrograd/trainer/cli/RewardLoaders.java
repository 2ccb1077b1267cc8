package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import dev.retrograd.rewards.JpegFileSize;
import dev.retrograd.rewards.JpegSettings;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.RewardProvider;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.rewards.clip.PickScore;
import dev.retrograd.rewards.owlvit.ConceptRemoval;
import dev.retrograd.rewards.owlvit.ObjectCount;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.cli.RewardOptions.Loader;
import dev.retrograd.trainer.pretrain.ModelFolder;
import dev.retrograd.trainer.pretrain.PictureJudge;
import dev.retrograd.trainer.pretrain.PictureRating;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// From a reward's name to what loads it.
///
/// @param embedded whether the miniature's own small rewards stand in for models that are not named
record RewardLoaders(boolean embedded, Plugins plugins, NamedPaths models, NamedPaths heads, Options options) {
    private static final String CLIP_FOLDER = "a folder with CLIP in transformers' layout";

    /// Settings of single rewards.
    ///
    /// @param query what OWL-ViT looks for
    /// @param count how many there should be
    /// @param resampling of the paper's CLIP rewards
    record Options(Optional<String> query, Optional<Double> count, Resampling resampling, JpegSettings jpeg) {
    }

    /// @param flag that gives the name
    /// @throws SettingException if there is no such reward, or its settings are incomplete
    Loader<Reward> of(String flag, String name) {
        Optional<BuiltInReward> known = BuiltInReward.named(name);
        if (known.isPresent()) {
            return of(flag, known.get());
        }
        RewardProvider provider = plugins.named(name).orElseThrow(() -> new SettingException(flag + ": must be one of "
                + Stream.concat(BuiltInReward.ids().stream(), plugins.names().stream()).collect(Collectors.joining(", ")) + ", got " + name));
        return b -> created(name, provider, b);
    }

    private Reward created(String name, RewardProvider provider, Backend backend) throws IOException {
        Reward reward = provider.create(backend, models.of(name));
        if (reward == null) {
            throw new IOException("--plugin: " + provider.getClass().getName() + " must create a reward, got null");
        }
        return reward;
    }

    private Loader<Reward> of(String flag, BuiltInReward reward) {
        String asked = flag + " " + reward.id();
        return switch (reward) {
            case COMPRESSIBILITY -> b -> new JpegCompressibility(b, FileSizeGoal.SMALLER, options.jpeg());
            case INCOMPRESSIBILITY -> b -> new JpegCompressibility(b, FileSizeGoal.LARGER, options.jpeg());
            case JPEG_SIZE -> _ -> new JpegFileSize(FileSizeGoal.LARGER, options.jpeg());
            case PICTURE_RATING -> _ -> new PictureRating(PictureRating.Part.RATING);
            case PICTURE_CENTRED -> _ -> new PictureRating(PictureRating.Part.CENTRED);
            case PICTURE_LARGE -> _ -> new PictureRating(PictureRating.Part.LARGE);
            case PICTURE_SATURATED -> _ -> new PictureRating(PictureRating.Part.SATURATED);
            case PICTURE_CLEAN -> _ -> new PictureRating(PictureRating.Part.CLEAN);
            case JUDGE -> b -> {
                try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
                    return PictureJudge.load(b, miniature.files());
                }
            };
            case AESTHETIC -> from(reward, asked, "a folder with CLIP in transformers' layout and LAION's head", ModelFolder::clip,
                    (b, model) -> AestheticScore.load(b, model, heads.of(reward.id()), options.resampling()));
            case HPS -> from(reward, asked, "HPS_v2_compressed.pt or a folder with it", ModelFolder::preference,
                    (b, model) -> HumanPreferenceScore.load(b, model, Optional.of(tokenizer(model)), options.resampling()));
            case PICKSCORE -> from(reward, asked, "a folder with PickScore in transformers' layout", ModelFolder::preference, PickScore::load);
            case CLIP -> from(reward, asked, CLIP_FOLDER, ModelFolder::clip, ClipSimilarity::load);
            case CONCEPT_REMOVAL -> {
                Path model = owlVit(reward, asked);
                String concept = options.query().map(RewardLoaders::query).orElse(ConceptRemoval.DEFAULT_QUERY);
                yield b -> ConceptRemoval.load(b, model, tokenizer(model), concept);
            }
            case OBJECT_COUNT -> {
                if (options.query().isEmpty() || options.count().isEmpty()) {
                    throw new SettingException(asked + ": needs --query, what is counted, and --count, how many there should be");
                }
                double count = options.count().get();
                SettingException.require(count >= 0 && count < Double.POSITIVE_INFINITY, "--count", "0 or more", count);
                Path model = owlVit(reward, asked);
                String object = query(options.query().get());
                yield b -> ObjectCount.load(b, model, tokenizer(model), object, count);
            }
            case FITTED -> {
                Path head = heads.of(reward.id()).orElseThrow(() -> new SettingException(asked + ": needs --reward-head, a file that fit-reward wrote"));
                yield from(reward, asked, CLIP_FOLDER, ModelFolder::clip, (b, model) -> FittedReward.load(b, model, head));
            }
        };
    }

    /// Loads a reward from a model's folder.
    @FunctionalInterface private interface FromModel {
        Reward load(Backend backend, Path model) throws IOException;
    }

    /// A reward from the model that the flags name, or else from the small one beside the miniature.
    private Loader<Reward> from(BuiltInReward reward, String asked, String what, Function<ModelFolder, Path> beside, FromModel load) {
        Optional<Path> named = models.of(reward.id());
        if (named.isEmpty() && embedded) {
            return b -> {
                try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
                    return load.load(b, beside.apply(miniature.files()));
                }
            };
        }
        Path model = named.orElseThrow(() -> needs(asked, what));
        return b -> load.load(b, model);
    }

    private Path owlVit(BuiltInReward reward, String asked) {
        return models.of(reward.id()).orElseThrow(() -> needs(asked, "a folder with OWL-ViT in transformers' layout"));
    }

    private static String query(String text) {
        SettingException.require(!text.isBlank(), "--query", "a text", "'" + text + "'");
        return text;
    }

    private static SettingException needs(String asked, String what) {
        return new SettingException(asked + ": needs --reward-model, " + what);
    }

    /// The folder's own tokenizer; CLIP's from the jar where there is none, as upstream's checkpoints come without.
    private static ClipTokenizer tokenizer(Path model) throws IOException {
        return Files.exists(model.resolve("merges.txt")) ? ClipTokenizer.load(model) : ClipTokenizer.standard();
    }
}
