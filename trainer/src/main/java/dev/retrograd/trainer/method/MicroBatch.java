package dev.retrograd.trainer.method;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;

/// Images of an update that go through the model together, and what is to be done with them: with the model, the trained weights and the run's
/// settings all that a replica needs, so that any replica computes the same.
///
/// @param kind the method's word for what is to be done
/// @param draw number of the update that the images were drawn for
/// @param images their numbers within that draw, which key their prompts and noise
/// @param columns what the method knows of each image, by name: the same number of values for each
public record MicroBatch(String kind, int draw, int[] images, SequencedMap<String, float[]> columns) implements Serializable {
    /// Name of the memory scope around the computation of each micro-batch.
    public static final String SCOPE = "micro-batch";

    public MicroBatch {
        columns = new LinkedHashMap<>(columns);
    }

    /// Images in a row, of which nothing is known yet.
    MicroBatch(String kind, int draw, int first, int count) {
        this(kind, draw, IntStream.range(first, first + count).toArray(), new LinkedHashMap<>());
    }

    /// Number of the first image.
    public int first() {
        return images[0];
    }

    /// Number of images.
    public int count() {
        return images.length;
    }

    /// What came of it, beside gradients.
    ///
    /// @param columns numbers of each image, by name
    /// @param sums numbers of the micro-batch as a whole
    public record Result(SequencedMap<String, float[]> columns, double... sums) implements Serializable {

        public Result {
            columns = new LinkedHashMap<>(columns);
        }
    }

    /// A column of several micro-batches, one after the other.
    static float[] join(List<Result> results, String name) {
        float[] all = new float[results.stream().mapToInt(r -> r.columns().get(name).length).sum()];
        int at = 0;
        for (Result r : results) {
            float[] part = r.columns().get(name);
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }
}
