package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Reward;
import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/// The small model with LoRA, on which methods make single updates of two images.
final class MethodBench implements AutoCloseable {
    static final int IMAGES = 2;
    private static final List<String> PROMPTS = List.of("cat", "butterfly");

    final CpuBackend backend = new CpuBackend();
    final StableDiffusion model = StableDiffusion.load(backend, Golden.path("ci-sd/model"));
    final LoraWeights lora = LoraWeights.of(backend, model.unet(), LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.empty()), 1);
    private final SamplerSettings sampling;

    MethodBench(int steps, double guidance, double eta) throws IOException {
        sampling = new SamplerSettings(steps, guidance, eta, 64, 64, "");
    }

    /// EDICT's chain.
    MethodBench(int steps, double guidance) throws IOException {
        sampling = new SamplerSettings(steps, guidance, 0, 64, 64, "", java.util.OptionalDouble.of(0.93));
    }

    Parts guarded(Reward reward, RewardLoss loss, double coefficient) {
        return new Parts(model, sampling.chain(model), reward, loss, AlignProp.RECOMPUTE_OUTERMOST, new KlGuard(coefficient, new KlGuard.Base() {
            @Override public <T> T run(java.util.function.Supplier<T> code) {
                lora.detach();
                try {
                    return code.get();
                } finally {
                    lora.attach();
                }
            }
        }));
    }

    Parts parts(Reward reward, RewardLoss loss) {
        return new Parts(model, sampling.chain(model), reward, loss, AlignProp.RECOMPUTE_OUTERMOST);
    }

    /// Updates with the noise of a number, whatever the micro-batch.
    ///
    /// @param breaking progress that the update is broken off at; empty for none
    record FixedUpdate(MethodBench bench, int number, int microBatch, String breaking) implements Update {
        @Override public int images() {
            return IMAGES;
        }

        @Override public Batch batch(int draw, int first, int count) {
            return new Sampler(bench.model, bench.sampling).batch(prompts(draw, first, count), new ChainNoise.Keyed(3, draw, bench.sampling.latentShape(bench.model)), first);
        }

        @Override public List<String> prompts(int draw, int first, int count) {
            return IntStream.range(first, first + count).mapToObj(i -> PROMPTS.get(i % PROMPTS.size())).toList();
        }

        @Override public Tensor context(List<String> prompts) {
            return new Sampler(bench.model, bench.sampling).context(prompts);
        }

        @Override public Shape latents(int count) {
            return Shape.of(count, 8, 8, 4);
        }

        @Override public RandomStream stream(int draw, long... key) {
            long[] all = new long[key.length + 1];
            all[0] = draw;
            System.arraycopy(key, 0, all, 1, key.length);
            return RandomStream.keyed(5, all);
        }

        @Override public boolean measures() {
            return false;
        }

        @Override public void measure(PixelBatch images, List<String> prompts) {
            throw new AssertionError("nothing is measured");
        }

        @Override public void progress(String what, long done, long total) {
            if (what.equals(breaking)) {
                throw new IllegalStateException("broken off at " + what);
            }
        }
    }

    /// What an update gave: its outcome, and every LoRA matrix's gradient one after the other.
    record Result(Outcome outcome, double[] gradient) {
    }

    Result update(Method method, int number) {
        return update(method, number, IMAGES);
    }

    Result update(Method method, int number, int microBatch) {
        try (Scope _ = backend.memory().open("update"); Gradients gradients = new Gradients(backend)) {
            Outcome outcome = update(method, new FixedUpdate(this, number, microBatch, ""), gradients);
            double[] all = new double[(int) lora.elements()];
            int at = 0;
            for (Parameter p : lora.parameters()) {
                for (float g : backend.toFloats(gradients.of(p).orElseThrow())) {
                    all[at++] = g;
                }
            }
            return new Result(outcome, all);
        }
    }

    /// Computes each micro-batch where it is, one after the other.
    static Outcome update(Method method, Update update, Gradients gradients) {
        return method.update(update, (batches, what, work, into) -> {
            update.progress(what, 0, work);
            return batches.stream().map(b -> method.compute(update, b, into, _ -> { })).toList();
        }, gradients);
    }

    /// Moves the weights along a direction.
    void move(double[] direction, double by) {
        int at = 0;
        for (Parameter p : lora.parameters()) {
            try (Scope _ = backend.memory().open("move")) {
                float[] values = backend.toFloats(p.value());
                for (int i = 0; i < values.length; i++) {
                    values[i] += (float) (by * direction[at++]);
                }
                Tensor moved = backend.floats("moved", p.spec().shape(), values);
                backend.convert(moved, p.value());
            }
        }
    }

    /// The loss's slope along a direction of unit length, by central differences.
    double slope(java.util.function.Supplier<Method> method, int number, double[] direction, double h) {
        move(direction, h);
        double up = update(method.get(), number).outcome().loss();
        move(direction, -2 * h);
        double down = update(method.get(), number).outcome().loss();
        move(direction, h);
        return (up - down) / (2 * h);
    }

    static double norm(double... v) {
        double sum = 0;
        for (double x : v) {
            sum += x * x;
        }
        return Math.sqrt(sum);
    }

    static double[] unit(double... v) {
        double n = norm(v);
        return java.util.Arrays.stream(v).map(x -> x / n).toArray();
    }

    @Override public void close() {
        lora.close();
        model.close();
        backend.close();
    }
}
