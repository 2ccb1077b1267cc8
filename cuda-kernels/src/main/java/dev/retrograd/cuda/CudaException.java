package dev.retrograd.cuda;

/// The driver refused or failed; the message says what was asked for and what it answered.
public final class CudaException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    public CudaException(String message) {
        super(message);
    }

    public CudaException(String message, Throwable cause) {
        super(message, cause);
    }
}
