package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;

/// Options of an optimiser: `lr`, `betas`, `weight_decay`, `eps`, and `max_grad_norm`, `null` for no clipping. Defaults are torch's.
record Optimizer(AdamW.Hyperparameters adamw, double learningRate, GradientClip clip) {

    static Optimizer of(ModelConfig c) throws IOException {
        c.only("name", "\"adamw\"");
        double[] betas = c.has("betas") ? c.numbers("betas") : new double[] {0.9, 0.999};
        if (betas.length != 2) {
            throw c.refuse("'betas' must be two numbers, got " + betas.length);
        }
        GradientClip clip = c.has("max_grad_norm") ? new GradientClip(c.number("max_grad_norm", 0)) : GradientClip.NONE;
        c.ignore("max_grad_norm");
        return new Optimizer(new AdamW.Hyperparameters(betas[0], betas[1], c.number("eps", 1e-8), c.number("weight_decay", 0.01)), c.number("lr", 1e-3), clip);
    }
}
