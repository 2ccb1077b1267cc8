package dev.retrograd.core;

/// Shapes that do not fit together; the message names the operation, what it requires and what it got.
public final class ShapeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    public ShapeException(String message) {
        super(message);
    }
}
