package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.diffusion.DdimSchedule;
import dev.retrograd.unet.diffusion.DdimStep;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/// The noise schedule and single DDIM updates.
final class ScheduleKinds {
    private ScheduleKinds() {
    }

    /// `betas`, `alphas_cumprod` and `final_alpha_cumprod`; with `steps` also `timesteps`, `prev_timesteps` and `variance`.
    static void schedule(CheckRun run) throws IOException {
        NoiseSchedule noise = run.model().schedule();
        run.put("betas", Values.of(Shape.of(noise.trainTimesteps()), noise.betas()));
        run.put("alphas_cumprod", Values.of(Shape.of(noise.trainTimesteps()), noise.alphasCumprod()));
        run.put("final_alpha_cumprod", Values.scalar(noise.finalAlphaCumprod()));
        if (run.options().has("steps")) {
            DdimSchedule ddim = noise.ddim(run.steps());
            IntStream steps = IntStream.range(0, ddim.steps());
            run.put("timesteps", Values.vector(steps.mapToDouble(ddim::timestep).toArray()));
            run.put("prev_timesteps", Values.vector(IntStream.range(0, ddim.steps()).mapToDouble(ddim::previousTimestep).toArray()));
            run.put("variance", Values.vector(IntStream.range(0, ddim.steps()).mapToDouble(ddim::variance).toArray()));
        }
    }

    private static DdimStep ddim(CheckRun run) throws IOException {
        DdimSchedule schedule = run.model().schedule().ddim(run.steps());
        return new DdimStep(schedule, schedule.stepOf(run.options().integer("timestep", -1)), run.options().number("eta", 0));
    }

    /// `prev_sample` and `x0` of `sample` and `model_output`.
    static void step(CheckRun run) throws IOException {
        DdimStep step = ddim(run);
        try (Tape tape = run.tape()) {
            Var x = run.leaf(tape, "sample");
            Var eps = run.leaf(tape, "model_output");
            Optional<Var> noise = run.has("variance_noise") ? Optional.of(tape.constant(run.tensor("variance_noise"))) : Optional.empty();
            Var next = step.next(x, eps, noise);
            run.put("prev_sample", next.value());
            run.put("x0", step.clean(x, eps).value());
            run.differentiate(next, Map.of("sample", x, "model_output", eps), Map.of());
        }
    }

    /// `value`, the log-probability of `prev_sample`; gradients are of its sum over the batch.
    static void logProbability(CheckRun run) throws IOException {
        DdimStep step = ddim(run);
        try (Tape tape = run.tape()) {
            Var x = run.leaf(tape, "sample");
            Var eps = run.leaf(tape, "model_output");
            Var value = step.logProbability(x, eps, tape.constant(run.tensor("prev_sample")));
            run.put("value", value.value());
            Tensor ones = run.backend().empty("dvalue", value.spec());
            run.backend().fill(ones, 1);
            run.differentiate(value, ones, Map.of("sample", x, "model_output", eps), Map.of());
        }
    }
}
