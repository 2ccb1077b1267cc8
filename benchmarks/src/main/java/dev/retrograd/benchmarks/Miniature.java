package dev.retrograd.benchmarks;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.trainer.method.AlignProp;
import dev.retrograd.trainer.method.Batch;
import dev.retrograd.trainer.method.Parts;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.DdimSchedule;
import dev.retrograd.unet.diffusion.Guidance;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;

/// An AlignProp update of a small model, or of any in a folder: the chain with guidance, its last K steps recomputed and differentiated, decoder, reward,
/// clipping of the gradient's norm, AdamW on LoRA of rank 4. The text is encoded beforehand. The reward is the mean of red, so that it costs little beside the rest.
public final class Miniature implements AutoCloseable {
    public static final double LEARNING_RATE = 1e-3;
    public static final double MAX_NORM = 1;
    public static final double GUIDANCE = 7.5;

    private final Backend backend;
    private final StableDiffusion model;
    private final LoraWeights lora;
    private final AdamW optimizer;
    private final AlignProp method;
    private final DdimSchedule schedule;
    private final Size size;
    private final Tensor latents;
    private final Tensor context;

    /// How large an update is.
    ///
    /// @param images at once
    /// @param side of a latent, an eighth of the image's
    /// @param steps of the chain
    /// @param kept the last K of them
    public record Size(int images, int side, int steps, int kept) {
        @Override public String toString() {
            return "%d x %d², %d steps, K %d".formatted(images, 8 * side, steps, kept);
        }
    }

    /// What an update gave.
    public record Outcome(double loss, double gradientNorm) {
    }

    /// The mean of red over the image.
    private static final class Redness implements DifferentiableReward {
        @Override public String name() {
            return "redness";
        }

        @Override public Var score(Var pixels, List<String> prompts) {
            Var red = pixels.apply(new Slice(3, 0, 1));
            return red.apply(SumTo.mean(red.shape(), Shape.of(red.dim(0), 1, 1, 1))).reshape(red.dim(0));
        }
    }

    /// @param folder of the model, in diffusers' layout
    /// @param policy what is stored and what is recomputed; {@link AlignProp#RECOMPUTE_OUTERMOST} as training does by itself
    public Miniature(Backend backend, Path folder, Size size, Segment.Policy policy) throws IOException {
        this.backend = backend;
        this.size = size;
        model = StableDiffusion.load(backend, folder);
        lora = LoraWeights.fresh(backend, model.unet(), new LoraConfig(4, 4, LoraConfig.ATTENTION), 1);
        optimizer = new AdamW(backend, lora.parameters(), AdamW.Hyperparameters.DEFAULT);
        schedule = model.schedule().ddim(size.steps());
        DdimChain chain = new DdimChain(model.unet(), schedule, new Guidance(GUIDANCE), 0);
        Redness reward = new Redness();
        method = new AlignProp(new Parts(model, chain, reward, new RewardLoss.Maximise(), policy), reward, new Truncation.Fixed(size.kept()));
        Shape shape = Shape.of(size.images(), size.side(), size.side(), model.unet().config().inChannels());
        latents = backend.floats("latents", shape, RandomStream.keyed(7).randn(Math.toIntExact(shape.elements())));
        List<String> rows = new ArrayList<>(Collections.nCopies(size.images(), ""));
        rows.addAll(Collections.nCopies(size.images(), "a large red ring in the center on a white background"));
        context = model.encodeText(model.tokenize(rows));
    }

    /// Rows and columns of the latent that a model in a folder was made for.
    static int latentSide(Path folder) throws IOException {
        return UNetConfig.of(ModelConfig.read(folder.resolve("unet/config.json"))).sampleSize();
    }

    public StableDiffusion model() {
        return model;
    }

    public LoraWeights lora() {
        return lora;
    }

    public DdimSchedule schedule() {
        return schedule;
    }

    /// `[B,H,W,4]`
    public Tensor latents() {
        return latents;
    }

    /// `[2B,M,D]`
    public Tensor context() {
        return context;
    }

    /// Does an update; every one starts from the same noise.
    public Outcome update() {
        double[] loss = new double[1];
        BitSet kept = new BitSet();
        kept.set(size.steps() - size.kept(), size.steps());
        try (Scope _ = backend.memory().open("update"); Gradients gradients = new Gradients(backend)) {
            Batch batch = new Batch(latents, context, Collections.nCopies(size.images(), "a red ring"), 0, _ -> latents);
            method.differentiate(batch, kept, 1.0 / size.images(), false, gradients, _ -> { }, pass -> {
                for (float l : backend.toFloats(pass.losses().value())) {
                    loss[0] += l / size.images();
                }
            });
            GradientClip.Clipped clipped = new GradientClip(MAX_NORM).apply(backend, gradients, lora.parameters());
            double norm = clipped.norm(backend);
            optimizer.step(gradients, LEARNING_RATE, clipped.factor(), AdamW.Missing.REFUSE);
            return new Outcome(loss[0], norm);
        }
    }

    @Override public void close() {
        optimizer.close();
        lora.close();
        model.close();
    }
}
