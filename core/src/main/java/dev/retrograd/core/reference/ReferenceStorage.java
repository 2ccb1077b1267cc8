package dev.retrograd.core.reference;

import dev.retrograd.core.DType;
import dev.retrograd.core.Storage;
import java.util.Arrays;

/// One float64 per element, whatever the declared type; NaN until written, so that a kernel that leaves a gap is seen.
final class ReferenceStorage extends Storage {
    private final boolean single;
    private double[] values;
    private DType dtype;

    /// @param single whether every value written to a floating type below `F64` is rounded to float32
    ReferenceStorage(String name, long bytes, boolean single) {
        super(name, bytes);
        this.single = single;
    }

    boolean single() {
        return single && dtype.floating() && dtype != DType.F64;
    }

    /// The elements; the first use decides how many, since an allocation knows only bytes.
    double[] values(DType of) {
        if (dtype == null) {
            dtype = of;
            values = new double[Math.toIntExact(bytes() / of.bytes())];
            Arrays.fill(values, Double.NaN);
        } else if (dtype != of) {
            throw new IllegalArgumentException("reference: '" + name() + "' holds " + dtype + ", got a view as " + of);
        }
        return values;
    }

    @Override protected void free() {
        values = null;
    }
}
