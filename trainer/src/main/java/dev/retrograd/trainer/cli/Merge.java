package dev.retrograd.trainer.cli;

import dev.retrograd.core.DType;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.file.ModelExport;
import dev.retrograd.unet.file.ModelFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `retrograd merge`: LoRAs become part of a model's weights.
@Command(name = "merge", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Merges LoRAs into a model and writes the whole of it, as a diffusers folder or a single file; without --lora, converts one into the other.")
final class Merge implements Callable<Integer> {
    @Option(names = "--model", paramLabel = "PATH", required = true, description = "A diffusers folder, or a single file (.safetensors, .ckpt).")
    private Path model;

    @Option(names = "--tokenizer", paramLabel = "DIR", description = "Folder of a tokenizer; default: the model's own, and CLIP's for a single file.")
    private Path tokenizer;

    @Option(names = "--prediction-type", paramLabel = "TYPE", description = "What a single file's UNet predicts: epsilon or v_prediction; default: as for train.")
    private ModelOptions.Prediction prediction;

    @Mixin
    private LoraOptions loras;

    @Option(names = "--output", paramLabel = "PATH", required = true, description = "A file that ends in .safetensors, or a folder, new or empty.")
    private Path output;

    @Option(names = "--dtype", paramLabel = "TYPE", description = "fp16, bf16 or fp32; default: as the model has them.")
    private MakeRandomModel.WeightType dtype;

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        List<LoraOptions.Choice> chosen = loras.choices();
        boolean single = output.getFileName() != null && output.getFileName().toString().endsWith(".safetensors");
        SettingException.require(!output.toAbsolutePath().normalize().equals(model.toAbsolutePath().normalize()), "--output", "another path than --model", output);
        Optional<DType> type = Optional.ofNullable(dtype).map(t -> t.dtype);
        try (ModelFiles files = ModelFiles.open(model, ModelOptions.reading(tokenizer, prediction, 0))) {
            files.notes().forEach(note -> out.println(model + ": " + note));
            List<ModelExport.Merge> merges = new ArrayList<>();
            for (LoraOptions.Choice c : chosen) {
                merges.add(new ModelExport.Merge(LoraFile.read(c.file(), OptionalDouble.empty()), c.scale()));
            }
            ModelExport export = new ModelExport(files, merges, type);
            if (single) {
                export.file(output);
            } else {
                try (OutputFolder _ = OutputFolder.make(output)) {
                    MakeRandomModel.requireEmpty(output);
                    export.folder(output);
                }
            }
            out.println(output + ": " + model + (merges.isEmpty() ? "" : " with " + merges.size() + (merges.size() == 1 ? " LoRA" : " LoRAs") + " merged into it"));
        }
        return ExitCode.DONE;
    }
}
