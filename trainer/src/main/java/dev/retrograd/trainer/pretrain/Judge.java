package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.ConvSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Says what a picture shows: a convolutional classifier, of another architecture than the small CLIP and fitted without captions, so that it
/// can judge models which were trained on a reward. No reward uses it.
///
/// Four convolutions with stride 2, one fully connected layer over the whole 4×4 map, and one linear head per question.
final class Judge {
    private static final int[] WIDTHS = {16, 32, 48, 64};
    private static final int FEATURES = 96;
    private static final int GROUPS = 8;
    private static final double EPS = 1e-5;

    /// What it is asked; objects count in reading order.
    public enum Question {
        OBJECTS(2), SHADE(Shade.values().length), GRADIENT(2), PLACE(Place.values().length),
        FIGURE(Figure.values().length), PAINT(Paint.values().length), EXTENT(Extent.values().length), TEXTURE(Texture.values().length),
        SECOND_FIGURE(Figure.values().length), SECOND_PAINT(Paint.values().length), SECOND_EXTENT(Extent.values().length), SECOND_TEXTURE(Texture.values().length);

        /// The answer that leaves a question out: there is no second object.
        public static final int NONE = -1;

        private final int answers;

        Question(int answers) {
            this.answers = answers;
        }

        /// Number of possible answers.
        public int answers() {
            return answers;
        }

        /// The right answer for a scene, 0..answers−1, or {@link #NONE}.
        public int of(Scene scene) {
            List<SceneObject> objects = scene.inReadingOrder();
            boolean second = name().startsWith("SECOND_");
            if (second && objects.size() < 2) {
                return NONE;
            }
            SceneObject o = objects.get(second ? 1 : 0);
            return switch (this) {
                case OBJECTS -> objects.size() - 1;
                case SHADE -> scene.backdrop().shade().ordinal();
                case GRADIENT -> scene.backdrop().gradient() ? 1 : 0;
                case PLACE -> o.place().ordinal();
                case FIGURE, SECOND_FIGURE -> o.figure().ordinal();
                case PAINT, SECOND_PAINT -> o.paint().ordinal();
                case EXTENT, SECOND_EXTENT -> o.extent().ordinal();
                case TEXTURE, SECOND_TEXTURE -> o.texture().ordinal();
            };
        }
    }

    private record Layer(Conv2d conv, GroupNorm norm) {
    }

    private final List<Layer> trunk = new ArrayList<>();
    private final Linear joined;
    private final Answers heads;

    /// @param w weights by the names of the judge's file: `trunk.0.conv.weight`, `joined.weight`, `heads.figure.weight` …
    public Judge(Weights w) throws IOException {
        int in = 3;
        for (int i = 0; i < WIDTHS.length; i++) {
            Weights layer = w.in("trunk." + i);
            trunk.add(new Layer(Conv2d.load(layer.in("conv"), in, WIDTHS[i], ConvSpec.square(3, 2, 1)), GroupNorm.load(layer.in("norm"), GROUPS, EPS, WIDTHS[i])));
            in = WIDTHS[i];
        }
        joined = Linear.load(w.in("joined"), mapSide() * mapSide() * in, FEATURES, true);
        heads = new Answers(w.in("heads"), FEATURES);
    }

    private static int mapSide() {
        return World.SIZE >> WIDTHS.length;
    }

    /// Logits of each question's answers, `[B,answers]`.
    ///
    /// @param image `[B,64,64,3]` in [-1,1]
    public Map<Question, Var> forward(Var image) {
        Tape t = image.tape();
        Var h = image;
        for (int i = 0; i < trunk.size(); i++) {
            Layer layer = trunk.get(i);
            h = t.segment1("judge.trunk." + i, in -> layer.norm.forwardSilu(layer.conv.forward(in[0])), h);
        }
        Var features = joined.forward(h.reshape(image.dim(0), mapSide() * mapSide() * WIDTHS[WIDTHS.length - 1])).apply(dev.retrograd.core.Unary.SILU);
        return heads.of(features);
    }
}
