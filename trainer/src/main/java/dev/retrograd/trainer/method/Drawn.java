package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Var;
import java.util.List;

/// What a pass through the denoising chain gave, on its tape.
///
/// @param clean the latent whose image is scored, `[B,H,W,C]`
/// @param context that the UNet saw
/// @param visits the steps whose predicted noise is differentiated
record Drawn(Var clean, Var context, List<Visit> visits) {

    public Drawn {
        visits = List.copyOf(visits);
    }

    /// One prediction.
    ///
    /// @param x the latent that it was made from, `[B,H,W,C]`
    /// @param eps predicted noise, guided, `[B,H,W,C]`
    public record Visit(int step, Var x, Var eps) {
    }
}
