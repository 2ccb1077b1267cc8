package dev.retrograd.trainer.pretrain;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// The object that a caption of the miniature world names first, read off its words.
///
/// @param paint empty where the caption leaves the colour open
/// @param second whether the picture's other object comes before it in reading order (left before right, top before bottom)
record NamedObject(Figure figure, Optional<Paint> paint, boolean second) {

    /// Reads any of the {@link Caption.Form}s, and words of a person's own: `a red circle`, `ring, green, right of a star`.
    ///
    /// @return empty if no shape is named
    static Optional<NamedObject> in(String caption) {
        List<String> words = Arrays.asList(caption.toLowerCase(Locale.ROOT).split("[^\\p{L}]+"));
        int first = next(words, 0);
        if (first == words.size()) {
            return Optional.empty();
        }
        int other = next(words, first + 1);
        Optional<Paint> paint = words.subList(0, first).stream().flatMap(w -> named(Paint.values(), w).stream()).reduce((_, last) -> last);
        List<String> between = words.subList(first, other);
        boolean after = other < words.size() && (between.contains("right") || between.contains("below"));
        return Optional.of(new NamedObject(named(Figure.values(), words.get(first)).orElseThrow(), paint, after));
    }

    /// The place of the next word that is a shape's; the number of words if there is none.
    private static int next(List<String> words, int from) {
        int at = from;
        while (at < words.size() && named(Figure.values(), words.get(at)).isEmpty()) {
            at++;
        }
        return at;
    }

    private static <E extends Enum<E>> Optional<E> named(E[] all, String word) {
        return Arrays.stream(all).filter(e -> Caption.word(e).equals(word)).findFirst();
    }
}
