package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;

/// The optimisation of one stage's weights: its state, one update at a time, and checkpoints from which it goes on to the same bytes.
final class Fit implements AutoCloseable {
    private static final String STEP = "step";

    private final Backend backend;
    private final FitSettings settings;
    private final List<Parameter> parameters;
    private final AdamW optimizer;
    private final WeightEma average;
    private final LearningRateSchedule schedule;
    private final GradientClip clip = new GradientClip(FitSettings.MAX_NORM);
    private int step;

    /// @param parameters trainable
    Fit(Backend backend, List<Parameter> parameters, FitSettings settings) {
        this.backend = backend;
        this.settings = settings;
        this.parameters = List.copyOf(parameters);
        optimizer = new AdamW(backend, this.parameters, new AdamW.Hyperparameters(FitSettings.BETA1, FitSettings.BETA2, FitSettings.EPS, FitSettings.WEIGHT_DECAY));
        average = new WeightEma(backend, this.parameters, settings.averaging());
        schedule = new LearningRateSchedule.Cosine(settings.rate(), settings.warmup(), settings.steps());
    }

    /// One number of the log.
    ///
    /// @param value scalar
    record Part(String name, Var value) {
    }

    /// What is minimised, and what it is made of.
    ///
    /// @param total scalar
    /// @param parts for the log
    record Loss(Var total, Part... parts) {
    }

    /// What one update did.
    ///
    /// @param losses by name, the total first
    /// @param gradientNorm before clipping
    record Update(int step, SequencedMap<String, Double> losses, double gradientNorm, double rate) {
    }

    /// Updates made so far.
    int step() {
        return step;
    }

    boolean done() {
        return step >= settings.steps();
    }

    /// Makes one update.
    ///
    /// @throws ArithmeticException if the loss or the gradient is not finite; the weights are as before then
    Update update(Function<Tape, Loss> loss) {
        try (Scope _ = backend.memory().open("step " + step); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
            Loss l = loss.apply(tape);
            SequencedMap<String, Double> losses = new LinkedHashMap<>();
            losses.put("loss", scalar(l.total()));
            for (Part part : l.parts()) {
                losses.put(part.name(), scalar(part.value()));
            }
            tape.backward(l.total(), gradients);
            GradientClip.Clipped clipped = clip.apply(backend, gradients, parameters);
            double norm = clipped.norm(backend);
            if (!Double.isFinite(losses.get("loss")) || !Double.isFinite(norm)) {
                throw new ArithmeticException("step " + step + ": loss and gradient norm must be finite, got " + losses.get("loss") + " and " + norm);
            }
            // Counted from 1: the update after the warm-up's last has the peak rate, and the first one moves.
            double rate = schedule.at(Math.min(step + 1, settings.steps()));
            optimizer.step(gradients, rate, clipped.factor(), AdamW.Missing.REFUSE);
            average.update();
            return new Update(step++, losses, norm, rate);
        }
    }

    private double scalar(Var v) {
        return backend.toFloats(v.value())[0];
    }

    /// Puts the averaged weights in place until what it returns is closed.
    WeightEma.Swap averaged() {
        return average.swapIn();
    }

    /// Writes everything that decides how the fit goes on.
    void save(Path file) throws IOException {
        try (Scope _ = backend.memory().open("checkpoint")) {
            SafeTensorsWriter writer = new SafeTensorsWriter().metadata(STEP, Integer.toString(step));
            parameters.forEach(p -> writer.add(p.name(), backend, p.value()));
            optimizer.state().forEach((name, t) -> writer.add(name, backend, t));
            average.state().forEach((name, t) -> writer.add(name, backend, t));
            writer.write(file);
        }
    }

    /// Goes on from a checkpoint.
    ///
    /// @throws IOException if it is damaged or of another model
    void restore(Path file) throws IOException {
        try (SafeTensors saved = SafeTensors.open(file); Scope _ = backend.memory().open("checkpoint")) {
            Map<String, Tensor> optimizerState = loaded(saved, optimizer.state());
            Map<String, Tensor> averageState = loaded(saved, average.state());
            for (Parameter p : parameters) {
                Tensor value = saved.load(backend, p.name());
                if (!value.spec().equals(p.spec())) {
                    throw new ModelFormatException(file + ": tensor '" + p.name() + "' must be " + p.spec() + ", got " + value.spec());
                }
                backend.convert(value, p.value());
            }
            optimizer.restore(optimizerState);
            average.restore(averageState);
            step = Integer.parseInt(saved.metadata().getOrDefault(STEP, "0"));
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(file + ": is no checkpoint of this stage: " + e.getMessage());
        }
    }

    private Map<String, Tensor> loaded(SafeTensors saved, Map<String, Tensor> like) throws IOException {
        Map<String, Tensor> tensors = new HashMap<>();
        for (String name : like.keySet()) {
            tensors.put(name, saved.load(backend, name));
        }
        return tensors;
    }

    @Override public void close() {
        optimizer.close();
        average.close();
    }
}
