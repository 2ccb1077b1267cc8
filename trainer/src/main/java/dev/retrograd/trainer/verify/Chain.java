package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.DdimSchedule;
import dev.retrograd.unet.diffusion.DdimStep;
import dev.retrograd.unet.diffusion.Guidance;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/// What `sample` and `alignprop` share: the options of a guided chain, its text embedding, and what is reported of a trajectory.
///
/// @param eta 0 deterministic … 1 ancestral
record Chain(CheckRun run, StableDiffusion model, DdimSchedule schedule, Guidance guidance, double eta) {

    /// Reads `steps`, `guidance` and `eta`.
    static Chain of(CheckRun run) throws IOException {
        StableDiffusion model = run.model();
        return new Chain(run, model, model.schedule().ddim(run.steps()), new Guidance(run.options().number("guidance", 1)), run.options().number("eta", 0));
    }

    DdimChain ddim() {
        return new DdimChain(model.unet(), schedule, guidance, eta);
    }

    /// The embedding of `ids`, after that of `negative_prompt` for each image where guidance is active.
    Tensor context() throws IOException {
        int[][] text = run.ids("ids");
        String negative = run.options().text("negative_prompt", "");
        if (!guidance.active()) {
            return model.encodeText(text);
        }
        int[][] both = new int[2 * text.length][];
        Arrays.fill(both, 0, text.length, model.tokenize(List.of(negative))[0]);
        System.arraycopy(text, 0, both, text.length, text.length);
        return model.encodeText(both);
    }

    /// `all_latents`, `[B,steps,C,H,W]`: all of them, or without the initial one.
    ///
    /// @param first of the trajectory that counts
    void putLatents(DdimChain.Trajectory trajectory, int first) {
        List<Values> latents = trajectory.latents().stream().skip(first).map(v -> run.channelsFirst(v.value())).toList();
        int[] one = latents.getFirst().shape().toArray();
        int size = one[1] * one[2] * one[3];
        double[] all = new double[one[0] * latents.size() * size];
        for (int b = 0; b < one[0]; b++) {
            for (int i = 0; i < latents.size(); i++) {
                System.arraycopy(latents.get(i).numbers(), b * size, all, (b * latents.size() + i) * size, size);
            }
        }
        run.put("all_latents", new Values(Shape.of(one[0], latents.size(), one[1], one[2], one[3]), all));
    }

    /// `log_probs`, `[B,steps]`, of the trajectory's own transitions.
    void putLogProbabilities(Tape tape, DdimChain.Trajectory trajectory) {
        if (!run.wants("log_probs")) {
            return;
        }
        int batch = trajectory.last().dim(0);
        int steps = schedule.steps();
        double[] all = new double[batch * steps];
        try (Scope _ = run.backend().memory().open("log_probs")) {
            for (int i = 0; i < steps; i++) {
                DdimStep step = new DdimStep(schedule, i, eta);
                Var x = tape.constant(trajectory.latents().get(i).value());
                Var eps = tape.constant(trajectory.predictions().get(i).value());
                float[] values = run.backend().toFloats(step.logProbability(x, eps, tape.constant(trajectory.latents().get(i + 1).value())).value());
                for (int b = 0; b < batch; b++) {
                    all[b * steps + i] = values[b];
                }
            }
        }
        run.put("log_probs", new Values(Shape.of(batch, steps), all));
    }
}
