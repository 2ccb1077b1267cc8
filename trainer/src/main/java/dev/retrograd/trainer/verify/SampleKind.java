package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.vae.Pixels;
import java.io.IOException;
import java.util.BitSet;

/// Sampling: the whole guided chain and the decoder, nothing differentiated.
final class SampleKind {
    private SampleKind() {
    }

    /// `all_latents`, `log_probs`, `vae_out` and `image` (in [0,1]) from `latents` and `ids`.
    static void sample(CheckRun run) throws IOException {
        Chain chain = Chain.of(run);
        if (run.options().has("lora")) {
            try (LoraWeights _ = LoraOption.attach(run, chain.model().unet())) {
                sample(run, chain);
            }
        } else {
            sample(run, chain);
        }
    }

    private static void sample(CheckRun run, Chain chain) throws IOException {
        String start = run.options().text("all_latents_start", "initial");
        int first = switch (start) {
            case "initial" -> 0;
            case "after-first-step" -> 1;
            default -> throw new IllegalArgumentException("all_latents_start: must be initial or after-first-step, got " + start);
        };
        Tensor[] noise = new Tensor[chain.schedule().steps()];
        for (int i = 0; i < noise.length && chain.eta() > 0; i++) {
            noise[i] = run.entry("variance_noise", i);
        }
        try (Tape tape = run.tape()) {
            Var latents = tape.constant(run.tensor("latents"));
            Var context = tape.constant(chain.context());
            DdimChain.Trajectory trajectory = chain.ddim().run(latents, context, new BitSet(), i -> tape.constant(noise[i]), _ -> { });
            chain.putLatents(trajectory, first);
            chain.putLogProbabilities(tape, trajectory);
            Var image = Pixels.image(chain.model().vaeDecoder(), trajectory.last());
            run.put("vae_out", image.value());
            run.put("image", Pixels.of(image).value());
        }
    }
}
