package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.FeatureHead;
import dev.retrograd.rewards.clip.HeadWeights;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.fit.Agreement;
import dev.retrograd.trainer.fit.FeatureTable;
import dev.retrograd.trainer.fit.ImageSource;
import dev.retrograd.trainer.fit.Standardisation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// The aesthetic head: a small network on the small CLIP's features of unit length, fitted to {@link PictureRating}'s ratings of painted pictures.
///
/// The CLIP rests, so its features are computed once, and an update is cheap: four times as many as the CLIP got, of batches of the same size. Loaded by
/// {@link dev.retrograd.rewards.clip.AestheticScore} from the CLIP's folder.
final class AestheticStage implements Stage {
    private static final int MOST_PICTURES = 4096;
    private static final int AT_ONCE = 64;
    private static final List<Integer> HIDDEN = List.of(64, 16);
    private static final double RATE = 5e-3;
    private static final int UPDATES_PER_CLIPS = 4;
    private static final int SHOWN = 16;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final Standardisation standard;
    private final FeatureTable fitted;
    private final FeatureTable measured;
    private final FeatureHead head;

    /// @param files where the small CLIP lies already
    AestheticStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        try (ImageFeatures tower = ImageFeatures.load(backend, files.clip())) {
            FeatureTable plain = table(tower, new Painted(recipe, World.Part.TRAINING, Math.min(MOST_PICTURES, recipe.latents())));
            standard = Standardisation.of(plain);
            fitted = standard.apply(plain);
            measured = standard.apply(table(tower, new Painted(recipe, World.Part.HELD_OUT, recipe.measured())));
        }
        HeadWeights start = HeadWeights.random("aesthetic", HeadWeights.Activation.SILU, fitted.width(), HIDDEN, recipe.noise(StageKey.AESTHETIC, 0));
        head = FeatureHead.trainable(backend, start);
    }

    private FeatureTable table(ImageFeatures tower, Painted painted) throws IOException {
        PictureRating rating = new PictureRating();
        return FeatureTable.of(tower, painted, (_, pixels, prompts) -> rating.score(pixels, prompts), _ -> { });
    }

    /// Pictures of the world, painted anew on every run through.
    private record Painted(Recipe recipe, World.Part part, int size) implements ImageSource {

        @Override public void forEach(Receiver receiver) throws IOException {
            for (int first = 0; first < size; first += AT_ONCE) {
                List<float[]> pictures = pictures(first, Math.min(AT_ONCE, size - first));
                receiver.accept(pixels(pictures), Collections.nCopies(pictures.size(), ""));
            }
        }

        List<float[]> pictures(int first, int count) {
            int parts = World.Part.values().length;
            return Examples.draw(recipe, StageKey.AESTHETIC, parts * (first / AT_ONCE) + part.ordinal(), count, part).pictures();
        }
    }

    /// Pictures `[64,64,3]` in [-1,1] as a batch in [0,1].
    static PixelBatch pixels(List<float[]> pictures) {
        float[] all = Pictures.joined(pictures);
        for (int i = 0; i < all.length; i++) {
            all[i] = Math.clamp(all[i] / 2 + 0.5f, 0f, 1f);
        }
        return new PixelBatch(all, pictures.size(), World.SIZE, World.SIZE);
    }

    @Override public String name() {
        return "aesthetic";
    }

    @Override public FitSettings settings() {
        FitSettings clip = recipe.clip();
        return new FitSettings(UPDATES_PER_CLIPS * clip.steps(), clip.batch(), RATE, clip.warmup(), clip.averaging());
    }

    @Override public List<Parameter> parameters() {
        return head.parameters();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        RandomStream random = recipe.noise(StageKey.AESTHETIC, 1 + step);
        int[] rows = IntStream.range(0, settings().batch()).map(_ -> (int) random.randint(0, fitted.size())).toArray();
        Var error = fitted.rows(rows).squaredError(t, head);
        return new Fit.Loss(error);
    }

    /// Of the measured pictures, the best beside the worst, as the head has it.
    @Override public String sample(Path file) throws IOException {
        float[] estimates = measured.estimates(backend, head);
        List<float[]> all = new ArrayList<>();
        Painted painted = new Painted(recipe, World.Part.HELD_OUT, recipe.measured());
        for (int first = 0; first < painted.size(); first += AT_ONCE) {
            all.addAll(painted.pictures(first, Math.min(AT_ONCE, painted.size() - first)));
        }
        List<Integer> order = IntStream.range(0, estimates.length).boxed().sorted(Comparator.comparing(i -> -estimates[i])).toList();
        int shown = Math.min(SHOWN, order.size() / 2);
        Pictures.writePairs(file, Pictures.joined(order.subList(0, shown).stream().map(all::get).toList()),
                Pictures.joined(order.reversed().subList(0, shown).stream().map(all::get).toList()));
        return "ratings of held-out combinations: " + Agreement.of(measured.scores(), estimates);
    }

    @Override public void finish() throws IOException {
        standard.undo(head.weights()).write(files.aesthetic());
    }

    @Override public void close() {
        head.close();
    }
}
