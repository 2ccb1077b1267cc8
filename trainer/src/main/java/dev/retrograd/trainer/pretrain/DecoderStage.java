package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The autoencoder's decoder, fitted further while the encoder rests, for sharper pictures of the same latents: what learns from latents neither
/// waits for it nor changes with it. The latents stray somewhat, as those that a UNet draws do.
final class DecoderStage implements Stage {
    private static final double EDGES = 0.5;
    private static final double MOST_STRAY = 0.25;
    private static final int SHOWN = 16;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final ModelFolder.Frozen<VaeEncoder> encoder;
    private final double scalingFactor;
    private final SeededWeights weights;
    private final VaeDecoder decoder;

    /// @param files where the VAE lies already
    DecoderStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        VaeConfig config = VaeConfig.of(ModelConfig.read(files.model().resolve("vae/config.json")));
        scalingFactor = config.scalingFactor();
        encoder = ModelFolder.read(backend, files.vaeWeights(), w -> new VaeEncoder(config, w));
        weights = new SeededWeights(backend, recipe.seed());
        decoder = new VaeDecoder(config, weights);
        try (ModelFolder.Frozen<VaeDecoder> begun = ModelFolder.read(backend, files.vaeWeights(), w -> new VaeDecoder(config, w))) {
            begun.weights().parameters().forEach((name, p) -> backend.convert(p.value(), weights.parameters().get(name).value()));
        }
    }

    @Override public String name() {
        return "decoder";
    }

    @Override public FitSettings settings() {
        return recipe.decoder();
    }

    @Override public List<Parameter> parameters() {
        return weights.all();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        Tensor images = Examples.draw(recipe, StageKey.DECODER, step, recipe.decoder().batch()).images(backend);
        Var image = t.constant(images);
        Var back = decoder.forward(t.constant(latents(images, step)));
        Var l1 = Terms.l1(back, image);
        Var l2 = Terms.l2(back, image);
        Var edges = Terms.edges(back, image);
        return new Fit.Loss(l1.plus(l2).plus(edges.affine(EDGES, 0)), new Fit.Part("l1", l1), new Fit.Part("l2", l2), new Fit.Part("edges", edges));
    }

    /// Latents drawn as the encoder says, each picture's with up to a quarter of their deviation added as noise, in the innermost open scope.
    private Tensor latents(Tensor images, int step) {
        try (Scope scope = backend.memory().open("latents"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return scope.keep(t.unrecorded(() -> {
                Var moments = encoder.model().forward(t.constant(images));
                Var mean = encoder.model().mean(moments);
                RandomStream random = recipe.noise(StageKey.DECODER, step);
                Var noise = t.constant(backend.floats("noise", mean.shape(), random.randn(Math.toIntExact(mean.shape().elements()))));
                float[] strays = new float[mean.dim(0)];
                for (int i = 0; i < strays.length; i++) {
                    strays[i] = (float) (MOST_STRAY * random.nextDouble() / scalingFactor);
                }
                Var stray = t.constant(backend.floats("stray", Shape.of(strays.length, 1, 1, 1), strays));
                return mean.plus(encoder.model().std(moments).plus(stray).times(noise)).value();
            }));
        }
    }

    @Override public String sample(Path file) throws IOException {
        Examples examples = Examples.draw(recipe, StageKey.SAMPLES, 0, SHOWN);
        try (Scope _ = backend.memory().open("decoder sample"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Var image = t.constant(examples.images(backend));
            Var back = t.unrecorded(() -> decoder.forward(encoder.model().mean(encoder.model().forward(image))));
            Pictures.writePairs(file, backend.toFloats(image.value()), backend.toFloats(back.value()));
            double mse = backend.toFloats(Terms.l2(back, image).value())[0];
            return "psnr %.1f dB".formatted(10 * Math.log10(4 / mse));
        }
    }

    @Override public void finish() throws IOException {
        List<Parameter> all = new ArrayList<>(encoder.weights().parameters().values());
        all.addAll(weights.all());
        WeightFile.write(files.vaeWeights(), backend, all);
    }

    @Override public void close() {
        weights.close();
        encoder.close();
    }
}
