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
import dev.retrograd.core.Unary;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.UNet;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The UNet, fitted to predict the noise in latents of captioned pictures; some captions are dropped. Of the timesteps, half are drawn from all
/// and half from the noisier half, where shape and place are decided.
///
/// The squared error at signal-to-noise ratio s is weighted with `f/(f + s)`: in terms of the clean latent, all timesteps count alike but the
/// noisiest, so that what decides shape and place is not outweighed by what refines it.
/// Source: arXiv 2006.11239 (loss), 2303.09556 (weights by signal-to-noise ratio), 2207.12598 (dropped captions).
final class UNetStage implements Stage {
    private static final double SNR_FLOOR = 1;
    private static final int SHOWN = 64;

    private final Backend backend;
    private final Recipe recipe;
    private final ModelFolder files;
    private final ClipTokenizer tokenizer;
    private final ModelFolder.Frozen<ClipTextEncoder> text;
    private final ModelFolder.Frozen<VaeDecoder> decoder;
    private final ModelFolder.Frozen<Judge> judge;
    private final NoiseSchedule schedule;
    private final Latents latents;
    private final SeededWeights weights;
    private final UNet unet;

    /// @param files where VAE, text encoder and judge lie already
    UNetStage(Backend backend, Recipe recipe, ModelFolder files) throws IOException {
        this.backend = backend;
        this.recipe = recipe;
        this.files = files;
        Path model = files.model();
        schedule = NoiseSchedule.of(ModelConfig.read(model.resolve("scheduler/scheduler_config.json")));
        tokenizer = ClipTokenizer.load(model.resolve("tokenizer"));
        ClipTextConfig textConfig = ClipTextConfig.of(ModelConfig.read(model.resolve("text_encoder/config.json")));
        VaeConfig vaeConfig = VaeConfig.of(ModelConfig.read(model.resolve("vae/config.json")));
        try (ModelFolder.Frozen<VaeEncoder> encoder = ModelFolder.read(backend, files.vaeWeights(), w -> new VaeEncoder(vaeConfig, w))) {
            latents = Latents.encode(backend, recipe, encoder.model(), vaeConfig);
        }
        text = ModelFolder.read(backend, files.textWeights(), w -> new ClipTextEncoder(textConfig, w.in("text_model")));
        decoder = ModelFolder.read(backend, files.vaeWeights(), w -> new VaeDecoder(vaeConfig, w));
        judge = ModelFolder.read(backend, files.judgeWeights(), Judge::new);
        weights = new SeededWeights(backend, recipe.seed() + StageKey.UNET.ordinal());
        unet = new UNet(Configs.unet(), weights);
    }

    @Override public String name() {
        return "unet";
    }

    @Override public FitSettings settings() {
        return recipe.unet();
    }

    @Override public List<Parameter> parameters() {
        return weights.all();
    }

    @Override public Fit.Loss loss(Tape t, int step) {
        RandomStream random = recipe.noise(StageKey.UNET, step);
        int batch = recipe.unet().batch();
        Shape shape = latents.batchShape(batch);
        float[] noise = random.randn(Math.toIntExact(shape.elements()));
        float[] noisy = new float[noise.length];
        float[] timesteps = new float[batch];
        float[] importance = new float[batch];
        List<String> captions = new ArrayList<>();
        int each = noise.length / batch;
        for (int i = 0; i < batch; i++) {
            int scene = (int) random.randint(0, latents.scenes().size());
            int timestep = (int) random.randint(random.nextDouble() < 0.5 ? 0 : schedule.trainTimesteps() / 2, schedule.trainTimesteps());
            String caption = Caption.draw(random).of(latents.scenes().get(scene));
            captions.add(random.nextDouble() < Recipe.DROPPED_CAPTIONS ? "" : caption);
            timesteps[i] = timestep;
            double alpha = schedule.alphaCumprod(timestep);
            double snr = alpha / (1 - alpha);
            importance[i] = (float) (SNR_FLOOR / (SNR_FLOOR + snr));
            float[] clean = latents.values().get(scene);
            for (int j = 0; j < each; j++) {
                noisy[i * each + j] = (float) (Math.sqrt(alpha) * clean[j] + Math.sqrt(1 - alpha) * noise[i * each + j]);
            }
        }
        Var predicted = unet.forward(t.constant(backend.floats("noisy", shape, noisy)), t.constant(encode(captions)), timesteps);
        Var squares = predicted.minus(t.constant(backend.floats("noise", shape, noise))).apply(Unary.pow(2));
        Var weighted = squares.times(t.constant(backend.floats("importance", Shape.of(batch, 1, 1, 1), importance)));
        return new Fit.Loss(Terms.mean(weighted), new Fit.Part("mse", Terms.mean(squares)));
    }

    private Tensor encode(List<String> captions) {
        int[][] ids = captions.stream().map(c -> tokenizer.tokenize(c).ids()).toArray(int[][]::new);
        try (Scope scope = backend.memory().open("text encoder"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return scope.keep(t.unrecorded(() -> text.model().forward(t, ids).last().value()));
        }
    }

    /// The upper half of the grid shows captions of training combinations, the lower half held-out ones.
    @Override public String sample(Path file) throws IOException {
        int half = Math.min(SHOWN, recipe.measured()) / 2;
        Examples seen = Examples.draw(recipe, StageKey.SAMPLES, 0, half);
        Examples heldOut = Examples.draw(recipe, StageKey.SAMPLES, 1, half, World.Part.HELD_OUT);
        List<Scene> scenes = new ArrayList<>(seen.scenes());
        scenes.addAll(heldOut.scenes());
        Generation generation = new Generation(backend, this::encode, unet, decoder.model(), schedule);
        try (Scope _ = backend.memory().open("unet sample")) {
            Tensor images = generation.draw(scenes.stream().map(Scene::caption).toList(), recipe.noise(StageKey.SAMPLES, 0));
            Pictures.write(file, backend.toFloats(images));
            Verdicts verdicts = Verdicts.of(backend, judge.model(), images);
            return "right: figure %.0f %%, paint %.0f %%, shade %.0f %%, place %.0f %%, objects %.0f %%".formatted(
                    100 * verdicts.accuracy(Judge.Question.FIGURE, scenes), 100 * verdicts.accuracy(Judge.Question.PAINT, scenes),
                    100 * verdicts.accuracy(Judge.Question.SHADE, scenes), 100 * verdicts.accuracy(Judge.Question.PLACE, scenes),
                    100 * verdicts.accuracy(Judge.Question.OBJECTS, scenes));
        }
    }

    @Override public void finish() throws IOException {
        WeightFile.write(files.unetWeights(), backend, weights.all());
        Configs.write(files.model().resolve("unet/config.json"), Configs.UNET);
    }

    @Override public void close() {
        weights.close();
        judge.close();
        decoder.close();
        text.close();
    }
}
