package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.MatMul;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.clip.ClipModel;
import dev.retrograd.rewards.clip.UnitLength;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What the small CLIP says of a batch of pictures, asked as its authors ask theirs: the picture's own caption and those that differ from it in one word
/// compete, and the caption with the greatest cosine is the answer. Source: arXiv 2103.00020, section 3.1.
final class ClipVerdicts {
    /// The word in which captions differ.
    enum Word {
        FIGURE(Figure.values()), PAINT(Paint.values()), EXTENT(Extent.values()), TEXTURE(Texture.values()), PLACE(Place.values()), SHADE(Shade.values()),
        SECOND_FIGURE(Figure.values()), SECOND_PAINT(Paint.values());

        private final Enum<?>[] values;

        Word(Enum<?>... values) {
            this.values = values;
        }

        /// The scene with each value of this word, its own included; none if the scene has no such word.
        private List<Scene> alternatives(Scene scene) {
            List<Scene> all = new ArrayList<>();
            for (Enum<?> value : values) {
                with(scene, value).ifPresent(all::add);
            }
            return all;
        }

        private Optional<Scene> with(Scene s, Enum<?> value) {
            SceneObject o = s.first();
            return switch (this) {
                case FIGURE -> Optional.of(withFirst(s, new SceneObject((Figure) value, o.paint(), o.extent(), o.texture(), o.place())));
                case PAINT -> Optional.of(withFirst(s, new SceneObject(o.figure(), (Paint) value, o.extent(), o.texture(), o.place())));
                case EXTENT -> Optional.of(withFirst(s, new SceneObject(o.figure(), o.paint(), (Extent) value, o.texture(), o.place())));
                case TEXTURE -> Optional.of(withFirst(s, new SceneObject(o.figure(), o.paint(), o.extent(), (Texture) value, o.place())));
                case PLACE -> moved(s, (Place) value);
                case SHADE -> Optional.of(new Scene(o, s.second(), new Backdrop((Shade) value, s.backdrop().gradient())));
                case SECOND_FIGURE -> s.second().map(b -> withSecond(s, new SceneObject((Figure) value, b.paint(), b.extent(), b.texture(), b.place())));
                case SECOND_PAINT -> s.second().map(b -> withSecond(s, new SceneObject(b.figure(), (Paint) value, b.extent(), b.texture(), b.place())));
            };
        }

        private static Scene withFirst(Scene s, SceneObject first) {
            return new Scene(first, s.second(), s.backdrop());
        }

        private static Scene withSecond(Scene s, SceneObject second) {
            return new Scene(s.first(), Optional.of(second), s.backdrop());
        }

        /// Two objects lie apart: neither is at the centre.
        private static Optional<Scene> moved(Scene s, Place place) {
            if (s.second().isPresent() && place == Place.CENTER) {
                return Optional.empty();
            }
            SceneObject o = s.first();
            Optional<SceneObject> second = s.second().map(b -> new SceneObject(b.figure(), b.paint(), b.extent(), b.texture(), place.opposite()));
            return Optional.of(new Scene(new SceneObject(o.figure(), o.paint(), o.extent(), o.texture(), place), second, s.backdrop()));
        }
    }

    private ClipVerdicts() {
    }

    /// How often the picture's own caption wins.
    ///
    /// @param right per word, of the pictures whose captions have it
    /// @param asked how many those are
    record Tally(Map<Word, Integer> right, Map<Word, Integer> asked) {
        static Tally empty() {
            return new Tally(new EnumMap<>(Word.class), new EnumMap<>(Word.class));
        }

        void add(Word word, boolean won) {
            right.merge(word, won ? 1 : 0, Integer::sum);
            asked.merge(word, 1, Integer::sum);
        }

        /// Share of the pictures whose own caption won; NaN if no caption has the word.
        double accuracy(Word word) {
            return right.getOrDefault(word, 0) / (double) asked.getOrDefault(word, 0);
        }
    }

    /// Adds a batch to a tally.
    ///
    /// @param images `[B,64,64,3]` in [-1,1], which is what the small CLIP's preprocessing makes of pictures of its size
    /// @param scenes one per picture
    static void count(Tally tally, ClipModel clip, Tensor images, List<Scene> scenes) {
        Backend backend = clip.backend();
        try (Scope _ = backend.memory().open("clip verdicts"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Var pictures = t.unrecorded(() -> UnitLength.of(clip.imageFeatures(t.constant(images))));
            for (Word word : Word.values()) {
                count(tally, word, clip, pictures, scenes);
            }
        }
    }

    private static void count(Tally tally, Word word, ClipModel clip, Var pictures, List<Scene> scenes) {
        List<String> captions = new ArrayList<>();
        List<Integer> firsts = new ArrayList<>();
        for (Scene scene : scenes) {
            firsts.add(captions.size());
            word.alternatives(scene).forEach(s -> captions.add(s.caption()));
        }
        if (captions.isEmpty()) {
            return;
        }
        Tape t = pictures.tape();
        Var cosines = t.unrecorded(() -> pictures.apply(new MatMul(false, true), UnitLength.of(clip.textFeatures(t, captions))));
        float[] all = t.backend().toFloats(cosines.value());
        for (int i = 0; i < scenes.size(); i++) {
            int end = i + 1 < scenes.size() ? firsts.get(i + 1) : captions.size();
            if (end == firsts.get(i)) {
                continue;
            }
            int best = firsts.get(i);
            for (int j = best; j < end; j++) {
                best = all[i * captions.size() + j] > all[i * captions.size() + best] ? j : best;
            }
            tally.add(word, captions.get(best).equals(scenes.get(i).caption()));
        }
    }
}
