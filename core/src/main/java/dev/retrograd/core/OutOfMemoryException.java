package dev.retrograd.core;

/// A backend had no room for a tensor; the message names the tensor, the open scopes, what is live, and what to change.
public final class OutOfMemoryException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    public OutOfMemoryException(String message) {
        super(message);
    }

    public OutOfMemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
