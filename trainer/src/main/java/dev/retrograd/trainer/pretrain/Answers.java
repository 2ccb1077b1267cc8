package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.GatherRows;
import dev.retrograd.core.Shape;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// One linear head per question about a scene, and what wrong answers cost.
final class Answers {
    private final Map<Judge.Question, Linear> heads = new EnumMap<>(Judge.Question.class);

    /// @param w weights by the questions' names, e.g. `figure.weight`
    Answers(Weights w, int features) throws IOException {
        for (Judge.Question q : Judge.Question.values()) {
            heads.put(q, Linear.load(w.in(Caption.word(q)), features, q.answers(), true));
        }
    }

    /// Logits of each question's answers, `[B,answers]`.
    ///
    /// @param features `[B,features]`
    Map<Judge.Question, Var> of(Var features) {
        Map<Judge.Question, Var> logits = new EnumMap<>(Judge.Question.class);
        heads.forEach((q, head) -> logits.put(q, head.forward(features)));
        return logits;
    }

    /// The cross-entropy of each question, over the scenes that it is about; 0 in a batch that has none.
    static Map<Judge.Question, Var> losses(Map<Judge.Question, Var> logits, List<Scene> scenes) {
        Map<Judge.Question, Var> losses = new EnumMap<>(Judge.Question.class);
        logits.forEach((q, l) -> losses.put(q, loss(q, l, scenes)));
        return losses;
    }

    private static Var loss(Judge.Question q, Var logits, List<Scene> scenes) {
        Tape t = logits.tape();
        int[] asked = IntStream.range(0, scenes.size()).filter(i -> q.of(scenes.get(i)) != Judge.Question.NONE).toArray();
        if (asked.length == 0) {
            return Terms.mean(logits).affine(0, 0);
        }
        Var rows = logits.apply(new GatherRows(), t.constant(t.backend().ints("asked", Shape.of(asked.length), asked)));
        return Terms.crossEntropy(rows, IntStream.of(asked).map(i -> q.of(scenes.get(i))).toArray());
    }
}
