package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.util.Map;

/// The autoencoder, each half on its own.
final class VaeKinds {
    private VaeKinds() {
    }

    /// `out` of `z`, which is already divided by the scaling factor.
    static void decode(CheckRun run) throws IOException {
        try (Tape tape = run.tape()) {
            Var z = run.leaf(tape, "z");
            Var out = run.model().vaeDecoder().forward(z);
            run.put("out", out.value());
            run.differentiate(out, Map.of("z", z), Map.of());
        }
    }

    /// `moments`, `mean` and `std` of the image `x`; gradients are of the moments.
    static void encode(CheckRun run) throws IOException {
        VaeEncoder encoder = run.model().loadVaeEncoder();
        try (Tape tape = run.tape()) {
            Var x = run.leaf(tape, "x");
            Var moments = encoder.forward(x);
            run.put("moments", moments.value());
            run.put("mean", encoder.mean(moments).value());
            run.put("std", encoder.std(moments).value());
            run.differentiate(moments, Map.of("x", x), Map.of());
        }
    }
}
