package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What the judge says of a batch of pictures: the likeliest answer to each question.
///
/// @param answers one per picture
record Verdicts(Map<Judge.Question, int[]> answers) {
    /// @param images `[B,64,64,3]` in [-1,1]
    public static Verdicts of(Backend backend, Judge judge, Tensor images) {
        Map<Judge.Question, int[]> answers = new EnumMap<>(Judge.Question.class);
        try (Scope _ = backend.memory().open("judge"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Map<Judge.Question, Var> logits = t.unrecorded(() -> judge.forward(t.constant(images)));
            logits.forEach((q, l) -> answers.put(q, Argmax.rows(backend.toFloats(l.value()), q.answers())));
        }
        return new Verdicts(answers);
    }

    /// The share of pictures whose answer is the scene's, of those scenes that the question is about; NaN if there is none.
    public double accuracy(Judge.Question q, List<Scene> scenes) {
        int asked = 0;
        int right = 0;
        for (int i = 0; i < scenes.size(); i++) {
            int answer = q.of(scenes.get(i));
            asked += answer == Judge.Question.NONE ? 0 : 1;
            right += answer == answers.get(q)[i] ? 1 : 0;
        }
        return (double) right / asked;
    }

    /// The share of pictures that show the object which the caption names first in its shape and colour.
    public double accuracyOfFirst(List<Scene> scenes) {
        return accuracyOf(0, scenes);
    }

    /// The same for the object named second, of those scenes that have one; NaN if there is none.
    public double accuracyOfSecond(List<Scene> scenes) {
        return accuracyOf(1, scenes);
    }

    private double accuracyOf(int named, List<Scene> scenes) {
        int asked = 0;
        int right = 0;
        for (int i = 0; i < scenes.size(); i++) {
            if (scenes.get(i).objects().size() <= named) {
                continue;
            }
            SceneObject o = scenes.get(i).objects().get(named);
            boolean readFirst = scenes.get(i).inReadingOrder().getFirst().place() == o.place();
            asked++;
            right += shows(i, new NamedObject(o.figure(), Optional.of(o.paint()), !readFirst)) ? 1 : 0;
        }
        return (double) right / asked;
    }

    /// Whether a picture shows an object in its shape, and in its colour where one is named.
    boolean shows(int picture, NamedObject o) {
        int figure = answers.get(o.second() ? Judge.Question.SECOND_FIGURE : Judge.Question.FIGURE)[picture];
        int paint = answers.get(o.second() ? Judge.Question.SECOND_PAINT : Judge.Question.PAINT)[picture];
        return figure == o.figure().ordinal() && (o.paint().isEmpty() || paint == o.paint().get().ordinal());
    }
}
