package dev.retrograd.core;

/// What a plan must know of a tensor: shape and element type, hence bytes.
public record Spec(Shape shape, DType dtype) {

    public static Spec f32(int... dims) {
        return new Spec(Shape.of(dims), DType.F32);
    }

    public Spec {
        if (shape == null || dtype == null) {
            throw new IllegalArgumentException("spec: shape and dtype are required, got " + shape + " and " + dtype);
        }
    }

    /// The same element type in another shape.
    public Spec with(Shape other) {
        return new Spec(other, dtype);
    }

    /// The same shape with another element type.
    public Spec with(DType other) {
        return new Spec(shape, other);
    }

    public long bytes() {
        return shape.elements() * dtype.bytes();
    }

    /// As messages show it: `[2,64,64,8] F32`.
    @Override public String toString() {
        return shape + " " + dtype;
    }
}
