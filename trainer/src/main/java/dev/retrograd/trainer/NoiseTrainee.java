package dev.retrograd.trainer;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.Optimizer;
import dev.retrograd.autograd.optim.SphericalMomentum;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.trainer.method.DoodlSettings;
import dev.retrograd.trainer.method.TrainedNoise;
import dev.retrograd.unet.Layout;
import dev.retrograd.unet.LoraWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// The initial noise of the sample grid's images; weights stay as they are.
final class NoiseTrainee implements Trainee {
    /// The file of the result.
    static final String FILE = "latents.safetensors";
    /// Keys the noise of the optimiser apart from a method's own.
    private static final int PERTURBATION = 1;

    private final Backend backend;
    private final TrainConfig config;
    private final int[] latent;
    private final List<String> prompts;
    private final List<Parameter> latents = new ArrayList<>();
    private final List<Tensor> start = new ArrayList<>();
    private final List<Tensor> trained = new ArrayList<>();
    private final Optional<LoraWeights> worn;

    /// @throws IllegalArgumentException if the LoRA to wear does not fit the model
    NoiseTrainee(TrainLoop.Task task, TrainConfig config) {
        this.config = config;
        backend = task.model().backend();
        latent = config.sampler().latentShape(task.model());
        prompts = Evaluation.promptsOf(task, config);
        worn = task.start().map(u -> LoraWeights.of(backend, task.model().unet(), u, 1));
        worn.ifPresent(l -> l.parameters().forEach(p -> p.trainable(false)));
        ChainNoise noise = new ChainNoise.Keyed(config.seed(), Evaluation.NO_UPDATE, latent);
        for (int i = 0; i < prompts.size(); i++) {
            String name = "latent.%03d".formatted(i);
            try (Scope _ = backend.memory().open(name)) {
                Tensor first = held(noise.initial(backend, i, 1));
                Tensor copy = held(backend.empty(name, first.spec()));
                backend.convert(first, copy);
                start.add(first);
                trained.add(copy);
                latents.add(new Parameter(name, copy, true));
            }
        }
    }

    private static Tensor held(Tensor t) {
        t.storage().retain();
        return t;
    }

    @Override public List<Parameter> parameters() {
        return latents;
    }

    @Override public Optimizer optimizer() {
        SphericalMomentum.Hyperparameters how = ((DoodlSettings) config.method()).step();
        return new SphericalMomentum(backend, latents, how, (step, i, count) -> RandomStream.keyed(config.seed(), StreamKey.METHOD.code(), step, PERTURBATION, i).randn(count));
    }

    @Override public Optional<TrainedNoise> noise() {
        return Optional.of(new TrainedNoise(prompts, latents));
    }

    @Override public Optional<FixedImages> images() {
        return Optional.of(new FixedImages(prompts, new ChainNoise.Latents(latents, latent)));
    }

    /// No weight is trained: the base model is the model.
    @Override public <T> T run(Supplier<T> code) {
        return code.get();
    }

    @Override public <T> T atStart(Supplier<T> code) {
        put(start);
        try {
            return code.get();
        } finally {
            put(trained);
        }
    }

    private void put(List<Tensor> values) {
        for (int i = 0; i < values.size(); i++) {
            latents.get(i).value(values.get(i));
        }
    }

    @Override public void writeInto(Path checkpoint) throws IOException {
        write(checkpoint.resolve(FILE));
    }

    @Override public Result write(RunDirectory run) throws IOException {
        Path file = run.folder().resolve(FILE);
        write(file);
        return new Result("latents", file, Optional.empty());
    }

    /// One tensor `latents`, `[images,C,H,W]` as diffusers takes them, and the prompts as metadata.
    private void write(Path file) throws IOException {
        int each = latent[0] * latent[1] * latent[2];
        float[] all = new float[latents.size() * each];
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        for (int i = 0; i < latents.size(); i++) {
            System.arraycopy(Layout.channelsFirst(backend, latents.get(i).value()), 0, all, i * each, each);
            writer.metadata("prompt.%03d".formatted(i), prompts.get(i));
        }
        writer.add("latents", Shape.of(latents.size(), latent[0], latent[1], latent[2]), all);
        writer.write(file);
    }

    @Override public String describe() {
        return "initial noise of " + latents.size() + (latents.size() == 1 ? " image, " : " images, ") + Arrays.stream(latent).mapToObj(Integer::toString).reduce((a, b) -> a + "x" + b).orElseThrow()
                + " values each; no weight is trained";
    }

    @Override public void close() {
        latents.forEach(Parameter::close);
        start.forEach(t -> t.storage().release("closing noise"));
        trained.forEach(t -> t.storage().release("closing noise"));
        start.clear();
        trained.clear();
        worn.ifPresent(LoraWeights::close);
    }
}
