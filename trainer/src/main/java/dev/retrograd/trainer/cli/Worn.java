package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.evaluate.Evaluator;
import dev.retrograd.unet.LoraGate;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.util.List;
import java.util.function.IntPredicate;

/// A model as results compare it, until it is closed.
interface Worn extends AutoCloseable {

    /// What makes the images.
    Evaluator.Subject subject();

    @Override void close();

    /// A model with LoRAs, which come off at the end.
    static Worn loras(StableDiffusion model, LoraOptions.Attached attached) {
        return of(new Evaluator.Subject(model), attached::close);
    }

    /// A model with updates that it wears at some denoising steps only.
    static Worn gated(StableDiffusion model, LoraWeights updates, IntPredicate steps) {
        LoraGate gate = new LoraGate(updates, steps);
        return of(new Evaluator.Subject(model, gate), () -> {
            gate.close();
            updates.close();
        });
    }

    /// The model as it was loaded.
    static Worn nothing(StableDiffusion model) {
        return loras(model, new LoraOptions.Attached(List.of()));
    }

    /// A model of its own, which is freed at the end.
    static Worn whole(StableDiffusion model) {
        return of(new Evaluator.Subject(model), model::close);
    }

    private static Worn of(Evaluator.Subject subject, Runnable end) {
        return new Worn() {
            @Override public Evaluator.Subject subject() {
                return subject;
            }

            @Override public void close() {
                end.run();
            }
        };
    }
}
