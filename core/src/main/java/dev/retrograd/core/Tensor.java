package dev.retrograd.core;

/// A dense block of numbers in a backend's memory: rows of channels, contiguous.
///
/// A tensor is a view of a {@link Storage}: reshaping and taking leading rows copy nothing. It dies with the scope of its storage;
/// using it afterwards is an error that names it. Contents are reached through the {@link Backend} that made it.
public final class Tensor {
    private final String name;
    private final Spec spec;
    private final Storage storage;
    private final long byteOffset;

    /// A view; for backends. Everybody else gets tensors from {@link Backend#empty(String, Spec)} and its kin.
    ///
    /// @param byteOffset where its first element lies in the storage
    public Tensor(String name, Spec spec, Storage storage, long byteOffset) {
        this.name = name;
        this.spec = spec;
        this.storage = storage;
        this.byteOffset = byteOffset;
        if (byteOffset < 0 || byteOffset + spec.bytes() > storage.bytes()) {
            throw new ShapeException("tensor '" + name + "': " + spec + " at byte " + byteOffset + " does not fit into " + storage.bytes() + " bytes");
        }
    }

    public String name() {
        return name;
    }

    public Spec spec() {
        return spec;
    }

    public Shape shape() {
        return spec.shape();
    }

    public DType dtype() {
        return spec.dtype();
    }

    public long elements() {
        return spec.shape().elements();
    }

    /// Size of an axis; negative axes count from the last one.
    public int dim(int axis) {
        return spec.shape().dim(axis);
    }

    /// The storage that it views.
    ///
    /// @throws IllegalStateException if it was freed
    public Storage storage() {
        storage.requireAlive();
        return storage;
    }

    /// Where its first element lies in the storage.
    public long byteOffset() {
        return byteOffset;
    }

    /// The same elements in another shape; no copy.
    ///
    /// @throws ShapeException if the number of elements differs
    public Tensor reshape(Shape shape) {
        if (shape.elements() != elements()) {
            throw new ShapeException("reshape: " + shape + " must have the " + elements() + " elements of '" + name + "' " + this.shape() + ", got " + shape.elements());
        }
        return new Tensor(name, spec.with(shape), storage(), byteOffset);
    }

    /// The same elements in another shape; no copy.
    public Tensor reshape(int... dims) {
        return reshape(Shape.of(dims));
    }

    /// `count` entries of the first axis from `start` on; no copy.
    ///
    /// @throws ShapeException if they are not all there
    public Tensor leading(int start, int count) {
        if (start < 0 || count < 0 || start + count > dim(0)) {
            throw new ShapeException("leading: entries must lie within 0.." + dim(0) + " of '" + name + "' " + shape() + ", got " + start + ".." + (start + count));
        }
        long stride = shape().span(1, shape().rank()) * dtype().bytes();
        return new Tensor(name, spec.with(shape().with(0, count)), storage(), byteOffset + start * stride);
    }

    /// As messages show it: `'conv_in' [2,64,64,8] F32`.
    @Override public String toString() {
        return "'" + name + "' " + spec;
    }
}
