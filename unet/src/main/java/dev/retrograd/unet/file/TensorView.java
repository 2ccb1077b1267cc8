package dev.retrograd.unet.file;

import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/// Tensors of another file under other names, or row blocks of them. The file stays its owner's.
final class TensorView implements TensorFile {
    private final TensorFile file;
    private final Map<String, Place> places;

    /// Where a tensor lies.
    ///
    /// @param name in the file
    /// @param part which of `parts` equal blocks of rows; 0 of 1 for the whole
    record Place(String name, int part, int parts) {
        static Place whole(String name) {
            return new Place(name, 0, 1);
        }
    }

    TensorView(TensorFile file, Map<String, Place> places) {
        this.file = file;
        this.places = places;
    }

    @Override public String source() {
        return file.source();
    }

    @Override public Set<String> names() {
        return Collections.unmodifiableSet(places.keySet());
    }

    private Place place(String name) throws ModelFormatException {
        Place place = places.get(name);
        if (place == null) {
            throw new ModelFormatException(source() + ": tensor '" + name + "' is required, but there is none that stands for it");
        }
        return place;
    }

    @Override public Spec spec(String name) throws ModelFormatException {
        Place place = place(name);
        Spec whole = file.spec(place.name());
        if (place.parts() == 1) {
            return whole;
        }
        Shape shape = whole.shape();
        if (shape.rank() == 0 || shape.dim(0) % place.parts() != 0) {
            throw new ModelFormatException(source() + ": tensor '" + place.name() + "' must have rows that divide by " + place.parts() + ", got " + shape);
        }
        return whole.with(shape.with(0, shape.dim(0) / place.parts()));
    }

    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        Place place = place(name);
        long size = spec(name).bytes();
        return file.bytes(place.name()).asSlice(place.part() * size, size);
    }

    /// Leaves the file open.
    @Override public void close() {
    }
}
