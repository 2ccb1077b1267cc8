package dev.retrograd.trainer;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.Optimizer;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// A LoRA on a frozen UNet: that of a file, or a fresh one.
final class LoraTrainee implements Trainee {
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Backend backend;
    private final LoraWeights lora;

    LoraTrainee(TrainLoop.Task task, TrainConfig config) {
        this.task = task;
        this.config = config;
        backend = task.model().backend();
        lora = startWeights();
    }

    private LoraWeights startWeights() {
        return task.start().map(u -> LoraWeights.of(backend, task.model().unet(), u, 1))
                .orElseGet(() -> SettingException.named("--lora-targets",
                        () -> LoraWeights.fresh(backend, task.model().unet(), config.lora(), RandomStream.keyed(config.seed(), StreamKey.LORA.code()).nextU64())));
    }

    @Override public List<Parameter> parameters() {
        return lora.parameters();
    }

    @Override public Optimizer optimizer() {
        return new AdamW(backend, parameters(), config.optimizer().adamw());
    }

    @Override public <T> T run(Supplier<T> code) {
        lora.detach();
        try {
            return code.get();
        } finally {
            lora.attach();
        }
    }

    @Override public <T> T atStart(Supplier<T> code) {
        return run(() -> {
            try (LoraWeights _ = startWeights()) {
                return code.get();
            }
        });
    }

    @Override public void writeInto(Path checkpoint) throws IOException {
        LoraFile.write(checkpoint.resolve(LoraFile.NAME), lora.updates(backend), config.naming());
    }

    @Override public Result write(RunDirectory run) throws IOException {
        Path file = run.loraFolder().resolve(LoraFile.NAME);
        LoraFile.write(file, lora.updates(backend), config.naming());
        return new Result("LoRA", file, Optional.of(run.loraFolder()));
    }

    @Override public String describe() {
        return "LoRA rank " + config.lora().rank() + " on " + String.join(", ", config.lora().targets()) + ": " + lora.elements() + " trainable values";
    }

    @Override public void close() {
        lora.close();
    }
}
