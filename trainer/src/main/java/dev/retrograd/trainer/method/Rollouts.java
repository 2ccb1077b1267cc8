package dev.retrograd.trainer.method;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/// What a round of sampling left on the host, for the updates that train on it: numbers of each image, by name.
final class Rollouts {
    private static final String DRAW = "draw";

    private final int draw;
    private final int images;
    private final SequencedMap<String, float[]> columns = new LinkedHashMap<>();

    /// @param draw number of the update that sampled
    Rollouts(int draw, int images) {
        this.draw = draw;
        this.images = images;
    }

    int draw() {
        return draw;
    }

    int images() {
        return images;
    }

    /// Stores what images `first`, … have under a name, the same count for each.
    void put(String name, int first, int count, float... values) {
        int each = values.length / count;
        System.arraycopy(values, 0, columns.computeIfAbsent(name, _ -> new float[Math.multiplyExact(images, each)]), first * each, values.length);
    }

    /// What some images have under a name, one after the other.
    float[] of(String name, int... which) {
        float[] all = columns.get(name);
        int each = all.length / images;
        float[] some = new float[which.length * each];
        for (int i = 0; i < which.length; i++) {
            System.arraycopy(all, which[i] * each, some, i * each, each);
        }
        return some;
    }

    /// Micro-batches of some images, with some of what they have.
    List<MicroBatch> microBatches(String kind, int size, int[] which, List<String> names) {
        return IntStream.iterate(0, first -> first < which.length, first -> first + size).mapToObj(first -> {
            int[] some = Arrays.copyOfRange(which, first, Math.min(first + size, which.length));
            SequencedMap<String, float[]> rows = new LinkedHashMap<>();
            names.forEach(name -> rows.put(name, of(name, some)));
            return new MicroBatch(kind, draw, some, rows);
        }).toList();
    }

    /// As tensors `[images,each]`, in the innermost open scope.
    SequencedMap<String, Tensor> state(Backend b) {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        columns.forEach((name, values) -> state.put(name, b.floats(name, Shape.of(images, values.length / images), values)));
        Tensor number = b.empty(DRAW, new Spec(Shape.of(), DType.I64));
        b.upload(MemorySegment.ofArray(new long[] {draw}), number);
        state.put(DRAW, number);
        return state;
    }

    /// Reads back what {@link #state} gave; empty if the state is.
    ///
    /// @throws IllegalArgumentException if it is no such state
    static Optional<Rollouts> restore(Backend b, Map<String, Tensor> saved) {
        if (saved.isEmpty()) {
            return Optional.empty();
        }
        Tensor number = saved.get(DRAW);
        if (number == null || number.dtype() != DType.I64 || saved.size() < 2) {
            throw new IllegalArgumentException("rollouts: the saved state must have the number of the update that sampled, got " + new TreeSet<>(saved.keySet()));
        }
        long[] draw = new long[1];
        b.download(number, MemorySegment.ofArray(draw));
        int images = saved.entrySet().stream().filter(e -> !e.getKey().equals(DRAW)).findFirst().orElseThrow().getValue().dim(0);
        Rollouts rollouts = new Rollouts(Math.toIntExact(draw[0]), images);
        saved.forEach((name, t) -> {
            if (!name.equals(DRAW)) {
                rollouts.put(name, 0, images, b.toFloats(t));
            }
        });
        return Optional.of(rollouts);
    }

    @Override public String toString() {
        return images + " images of update " + draw + ": " + Arrays.toString(columns.keySet().toArray());
    }
}
