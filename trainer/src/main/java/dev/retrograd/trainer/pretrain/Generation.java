package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.UNet;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.Guidance;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import dev.retrograd.unet.vae.Pixels;
import dev.retrograd.unet.vae.VaeDecoder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;

/// Pictures from captions, as a user gets them: DDIM with guidance, nothing recorded.
///
/// @param encoder texts to embeddings `[B,N,D]`, in the innermost open scope
record Generation(Backend backend, Function<List<String>, Tensor> encoder, UNet unet, VaeDecoder decoder, NoiseSchedule schedule) {
    static final int STEPS = 25;
    static final double GUIDANCE = 3;

    /// One picture per caption, `[B,64,64,3]` nominally in [-1,1], in the innermost open scope.
    ///
    /// @param random gives the initial latents
    Tensor draw(List<String> captions, RandomStream random) {
        int side = unet.config().sampleSize();
        Shape shape = Shape.of(captions.size(), side, side, unet.config().inChannels());
        List<String> texts = new ArrayList<>(Collections.nCopies(captions.size(), ""));
        texts.addAll(captions);
        try (Scope scope = backend.memory().open("generation"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Var latent = t.constant(backend.floats("latent", shape, random.randn(Math.toIntExact(shape.elements()))));
            Var context = t.constant(encoder.apply(texts));
            DdimChain chain = new DdimChain(unet, schedule.ddim(STEPS), new Guidance(GUIDANCE), 0);
            Var image = t.unrecorded(() -> Pixels.image(decoder, chain.run(latent, context, new BitSet(), step -> {
                throw new IllegalStateException("generation: no noise is drawn at eta 0, got a request at step " + step);
            }, _ -> { }).last()));
            return scope.keep(image.value());
        }
    }
}
