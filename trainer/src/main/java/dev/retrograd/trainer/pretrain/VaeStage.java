package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// The autoencoder: pictures `[B,64,64,3]` to latents `[B,8,8,4]` and back. Minimised are absolute and squared differences of pixels, those of
/// neighbouring pixels' differences, and a small divergence of the latents from the normal distribution. Source: arXiv 2112.10752, section 3.1.
final class VaeStage implements Stage {
    private static final double ABSOLUTES = 0.2;
    private static final double EDGES = 0.2;
    private static final double DIVERGENCE = 3e-4;
    /// Where the latents' log-variance starts, so that their noise does not hide everything at first.
    private static final float FIRST_LOG_VARIANCE = -5;
    private static final int MOST_AT_ONCE = 64;
    private static final int SHOWN = 16;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final SeededWeights weights;
    private final VaeConfig config;
    private final VaeEncoder encoder;
    private final VaeDecoder decoder;

    /// @param files where {@link #finish} writes `vae`
    VaeStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        config = Configs.vae(1);
        weights = new SeededWeights(backend, recipe.seed() + StageKey.VAE.ordinal());
        encoder = new VaeEncoder(config, weights);
        decoder = new VaeDecoder(config, weights);
        float[] bias = new float[2 * config.latentChannels()];
        Arrays.fill(bias, config.latentChannels(), bias.length, FIRST_LOG_VARIANCE);
        backend.upload(MemorySegment.ofArray(bias), weights.parameters().get("quant_conv.bias").value());
    }

    @Override public String name() {
        return "vae";
    }

    @Override public FitSettings settings() {
        return recipe.vae();
    }

    @Override public List<Parameter> parameters() {
        return weights.all();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        Var image = t.constant(Crops.images(backend, recipe, StageKey.VAE, step, recipe.vae()));
        Var moments = encoder.forward(image);
        Var mean = encoder.mean(moments);
        Var std = encoder.std(moments);
        Var noise = t.constant(backend.floats("noise", mean.shape(), recipe.noise(StageKey.VAE, step).randn(Math.toIntExact(mean.shape().elements()))));
        Var back = decoder.forward(mean.plus(std.times(noise)));
        Var l1 = Terms.l1(back, image);
        Var l2 = Terms.l2(back, image);
        Var edges = Terms.edges(back, image);
        Var divergence = divergence(moments, mean, std);
        Var total = l2.plus(l1.affine(ABSOLUTES, 0)).plus(edges.affine(EDGES, 0)).plus(divergence.affine(DIVERGENCE, 0));
        return new Fit.Loss(total, new Fit.Part("l1", l1), new Fit.Part("l2", l2), new Fit.Part("kl", divergence));
    }

    /// Per latent number: ½·(mean² + std² − 1 − log std²), averaged.
    private Var divergence(Var moments, Var mean, Var std) {
        int c = config.latentChannels();
        Var logVariance = moments.apply(new Slice(-1, c, c));
        Var squares = mean.apply(Unary.pow(2)).plus(std.apply(Unary.pow(2)));
        return Terms.mean(squares.minus(logVariance)).affine(0.5, -0.5);
    }

    @Override public String sample(Path file) throws IOException {
        Examples examples = Examples.draw(recipe, StageKey.SAMPLES, 0, SHOWN);
        try (Scope _ = backend.memory().open("vae sample"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Var image = t.constant(examples.images(backend));
            Var back = t.unrecorded(() -> decoder.forward(encoder.mean(encoder.forward(image))));
            Pictures.writePairs(file, backend.toFloats(image.value()), backend.toFloats(back.value()));
            double mse = backend.toFloats(Terms.l2(back, image).value())[0];
            return "psnr %.1f dB".formatted(10 * Math.log10(4 / mse));
        }
    }

    @Override public void finish() throws IOException {
        WeightFile.write(files.vaeWeights(), backend, weights.all());
        Configs.write(files.model().resolve("vae/config.json"), Configs.vaeJson(1 / deviation()));
    }

    /// The standard deviation of latents, drawn with their own noise, over all channels: its inverse is the scaling factor.
    private double deviation() {
        double sum = 0;
        double squares = 0;
        long count = 0;
        int batch = Math.min(MOST_AT_ONCE, recipe.measured());
        for (int i = 0; i < 2 * recipe.measured() / batch; i++) {
            try (Scope _ = backend.memory().open("latents"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
                Var image = t.constant(Examples.draw(recipe, StageKey.SAMPLES, 1 + i, batch).images(backend));
                Shape shape = Shape.of(batch, World.SIZE / config.downscale(), World.SIZE / config.downscale(), config.latentChannels());
                Var noise = t.constant(backend.floats("noise", shape, recipe.noise(StageKey.SAMPLES, 1 + i).randn(Math.toIntExact(shape.elements()))));
                Var latent = t.unrecorded(() -> {
                    Var moments = encoder.forward(image);
                    return encoder.mean(moments).plus(encoder.std(moments).times(noise));
                });
                for (float v : backend.toFloats(latent.value())) {
                    sum += v;
                    squares += (double) v * v;
                    count++;
                }
            }
        }
        return Math.sqrt(squares / count - sum / count * sum / count);
    }

    @Override public void close() {
        weights.close();
    }
}
