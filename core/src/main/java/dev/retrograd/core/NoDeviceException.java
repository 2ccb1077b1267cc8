package dev.retrograd.core;

/// A device cannot be used on this host; the message is one sentence that says which kind, and why.
public class NoDeviceException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    public NoDeviceException(String message) {
        super(message);
    }

    public NoDeviceException(String message, Throwable cause) {
        super(message, cause);
    }
}
