package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/// One evaluation of the UNet.
final class UNetKind {
    private static final String CONTEXT = "encoder_hidden_states";

    private UNetKind() {
    }

    /// `out` of `sample` at `timesteps` with `encoder_hidden_states`, or with the encoding of `ids`; activations, and gradients by inputs and weights.
    static void unet(CheckRun run) throws IOException {
        StableDiffusion model = run.model();
        if (run.options().has("lora")) {
            try (LoraWeights lora = LoraOption.attach(run, model.unet())) {
                Map<String, Parameter> weights = new HashMap<>(model.unetParameters());
                lora.parameters().forEach(p -> weights.put(p.name(), p));
                unet(run, model, weights);
            }
        } else {
            unet(run, model, model.unetParameters());
        }
    }

    private static void unet(CheckRun run, StableDiffusion model, Map<String, Parameter> weights) throws IOException {
        double[] given = run.options().numbers("timesteps");
        float[] timesteps = new float[given.length];
        for (int i = 0; i < given.length; i++) {
            timesteps[i] = (float) given[i];
        }
        Map<String, Parameter> thawed = new LinkedHashMap<>();
        for (String name : run.wanted(CheckRun.GRADIENT)) {
            Parameter p = weights.get(name);
            if (p != null && !p.trainable()) {
                thawed.put(name, p);
            }
        }
        thawed.values().forEach(p -> p.trainable(true));
        try (Tape tape = run.tape()) {
            Var sample = run.leaf(tape, "sample");
            Tensor context = run.has(CONTEXT) ? run.tensor(CONTEXT) : model.encodeText(run.ids("ids"));
            Var text = run.leaf(tape, CONTEXT, context);
            Var out = model.unet().forward(sample, text, timesteps);
            run.put("out", out.value());
            run.differentiate(out, Map.of("sample", sample, CONTEXT, text), weights);
        } finally {
            thawed.values().forEach(p -> p.trainable(false));
        }
    }
}
