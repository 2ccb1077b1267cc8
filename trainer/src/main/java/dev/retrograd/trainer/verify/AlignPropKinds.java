package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.trainer.method.AlignProp;
import dev.retrograd.trainer.method.Batch;
import dev.retrograd.trainer.method.Parts;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reward backpropagation: gradients of one pass, and the weights after some updates.
final class AlignPropKinds {
    private static final Pattern LOSS = Pattern.compile("(?:(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\\s*\\*\\s*|(-?)\\s*)mean\\(reward\\)");

    private AlignPropKinds() {
    }

    /// One check's chain, reward and loss.
    ///
    /// @param kept the last K steps
    /// @param factor of the mean reward in the loss
    private record Setup(CheckRun run, Chain chain, AlignProp method, BitSet kept, double factor, Tensor context) {

        static Setup of(CheckRun run, Chain chain) throws IOException {
            ModelConfig c = run.options();
            int steps = chain.schedule().steps();
            int k = c.integer("k");
            if (k > steps) {
                throw c.refuse("'k' must be 1.." + steps + " (steps), got " + k);
            }
            BitSet kept = new BitSet(steps);
            kept.set(steps - k, steps);
            String definition = c.text("reward", TanhReward.DEFINITION);
            if (!definition.startsWith(TanhReward.DEFINITION)) {
                throw c.refuse("'reward' must be '" + TanhReward.DEFINITION + "', got '" + definition + "'");
            }
            TanhReward reward = new TanhReward(run.tensor("reward.W"), run.tensor("reward.b"), run.scalar("reward.scale"));
            AlignProp method = new AlignProp(new Parts(chain.model(), chain.ddim(), reward, new RewardLoss.Maximise(), AlignProp.RECOMPUTE_OUTERMOST), reward, new Truncation.Fixed(k));
            return new Setup(run, chain, method, kept, factor(c), chain.context());
        }

        private static double factor(ModelConfig c) throws IOException {
            String text = c.text("loss", "-mean(reward)");
            Matcher m = LOSS.matcher(text.strip());
            if (!m.matches()) {
                throw c.refuse("'loss' must be a number times mean(reward), got '" + text + "'");
            }
            return m.group(1) != null ? Double.parseDouble(m.group(1)) : m.group(2).isEmpty() ? 1 : -1;
        }

        /// Adds the gradient of the loss and gives the loss. The sum that is differentiated is of −R.
        double differentiate(Tensor latents, Tensor[] noise, boolean latentGradient, Gradients gradients, Consumer<AlignProp.Pass> forward) {
            int images = latents.dim(0);
            double[] loss = new double[1];
            Batch batch = new Batch(latents, context, Collections.nCopies(images, ""), 0, i -> noise[i]);
            method.differentiate(batch, kept, -factor / images, latentGradient, gradients, _ -> { }, pass -> {
                for (float each : run.backend().toFloats(pass.losses().value())) {
                    loss[0] -= factor / images * each;
                }
                forward.accept(pass);
            });
            return loss[0];
        }
    }

    /// The noise of every step: `[steps,B,C,H,W]`, or one such for each update.
    private static Tensor[] noise(CheckRun run, Chain chain, int update) throws IOException {
        Tensor[] noise = new Tensor[chain.schedule().steps()];
        if (chain.eta() == 0) {
            return noise;
        }
        Values all = run.values("variance_noise");
        Shape shape = all.shape();
        boolean perUpdate = shape.rank() == 6;
        int[] dims = shape.toArray();
        Shape one = Shape.of(Arrays.copyOfRange(dims, dims.length - 4, dims.length));
        int size = Math.toIntExact(one.elements());
        if (dims[dims.length - 5] != noise.length || perUpdate && update >= dims[0]) {
            throw new IllegalArgumentException("variance_noise: must be [" + noise.length + ",B,C,H,W] for these steps, got " + shape);
        }
        for (int i = 0; i < noise.length; i++) {
            float[] values = new float[size];
            int from = ((perUpdate ? update * noise.length : 0) + i) * size;
            for (int j = 0; j < size; j++) {
                values[j] = (float) all.numbers()[from + j];
            }
            noise[i] = run.tensor("variance_noise", one, values);
        }
        return noise;
    }

    /// `all_latents`, `image`, `log_probs`, `reward`, `loss`, `grad_norm`, and gradients of LoRA matrices and of `latents`.
    static void differentiate(CheckRun run) throws IOException {
        Chain chain = Chain.of(run);
        try (LoraWeights lora = LoraOption.attach(run, chain.model().unet()); Gradients gradients = new Gradients(run.backend())) {
            Setup setup = Setup.of(run, chain);
            Tensor latents = run.tensor("latents");
            Var[] initial = new Var[1];
            double loss = setup.differentiate(latents, noise(run, chain, 0), true, gradients, pass -> {
                initial[0] = pass.latent();
                chain.putLatents(pass.trajectory(), 0);
                chain.putLogProbabilities(pass.latent().tape(), pass.trajectory());
                run.put("image", pass.pixels().value());
                run.put("reward", pass.scores().value());
            });
            run.put("loss", Values.scalar(loss));
            gradients.of(initial[0]).ifPresent(g -> run.put(CheckRun.GRADIENT + "latents", g));
            for (Parameter p : lora.parameters()) {
                gradients.of(p).ifPresent(g -> run.put(CheckRun.GRADIENT + p.name(), p, g));
            }
            try (Scope _ = run.backend().memory().open("norm")) {
                run.put("grad_norm", Values.scalar(GradientClip.NONE.apply(run.backend(), gradients, lora.parameters()).norm(run.backend())));
            }
        }
    }

    /// For update N: `stepN.loss`, `stepN.grad_norm` before clipping, and each matrix after it as `stepN:<module>.lora_A.weight`.
    static void train(CheckRun run) throws IOException {
        Chain chain = Chain.of(run);
        int updates = run.options().integer("updates");
        Optimizer how = Optimizer.of(run.options().object("optimizer"));
        try (LoraWeights lora = LoraOption.attach(run, chain.model().unet()); AdamW adamw = new AdamW(run.backend(), lora.parameters(), how.adamw())) {
            Setup setup = Setup.of(run, chain);
            for (int n = 0; n < updates; n++) {
                try (Scope _ = run.backend().memory().open("update"); Gradients gradients = new Gradients(run.backend())) {
                    String step = "step" + (n + 1);
                    run.put(step + ".loss", Values.scalar(setup.differentiate(run.entry("latents", n), noise(run, chain, n), false, gradients, _ -> { })));
                    GradientClip.Clipped clipped = how.clip().apply(run.backend(), gradients, lora.parameters());
                    run.put(step + ".grad_norm", Values.scalar(clipped.norm(run.backend())));
                    adamw.step(gradients, how.learningRate(), clipped.factor(), AdamW.Missing.REFUSE);
                    putWeights(run, step, lora.parameters());
                }
            }
        }
    }

    private static void putWeights(CheckRun run, String step, List<Parameter> parameters) {
        for (Parameter p : parameters) {
            if (run.wants(step + ":" + p.name())) {
                run.put(step + ":" + p.name(), p, p.value());
            }
        }
    }
}
