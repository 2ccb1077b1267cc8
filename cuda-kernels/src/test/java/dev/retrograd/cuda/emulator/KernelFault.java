package dev.retrograd.cuda.emulator;

/// What a kernel did wrong; the message names kernel, PTX line, block and thread.
public final class KernelFault extends RuntimeException {
    private static final long serialVersionUID = 1;

    KernelFault(String message) {
        super(message);
    }
}
