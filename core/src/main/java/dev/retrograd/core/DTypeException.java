package dev.retrograd.core;

/// An element type that an operation does not take; the message names the operation and both types.
public final class DTypeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    public DTypeException(String message) {
        super(message);
    }
}
