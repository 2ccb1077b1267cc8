package dev.retrograd.cuda.emulator;

/// PTX that the emulator cannot read or does not know; the message names the line.
final class PtxException extends RuntimeException {
    private static final long serialVersionUID = 1;

    PtxException(String message) {
        super(message);
    }
}
