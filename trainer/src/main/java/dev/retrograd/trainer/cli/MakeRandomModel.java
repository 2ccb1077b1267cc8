package dev.retrograd.trainer.cli;

import dev.retrograd.core.DType;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.pretrain.RandomModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `retrograd make-random-model`: a model of full size with random weights, to try a machine with.
@Command(name = "make-random-model", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Writes a diffusers folder with seeded random weights: full-size loading, sampling and training can be tried before a real model is there.")
final class MakeRandomModel implements Callable<Integer> {
    @Option(names = "--output", paramLabel = "DIR", required = true, description = "Folder to write; it must be new or empty.")
    private Path output;

    @Option(names = "--arch", paramLabel = "ARCH", defaultValue = "sd15", description = "sd15 (512 pixels), sd21 (768 pixels, velocity prediction) or tiny (64 pixels); default: ${DEFAULT-VALUE}.")
    private RandomModel.Arch arch;

    @Option(names = "--dtype", paramLabel = "TYPE", defaultValue = "fp16", description = "fp16, bf16 or fp32; default: ${DEFAULT-VALUE}.")
    private WeightType dtype;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of the weights; default: ${DEFAULT-VALUE}.")
    private long seed;

    @Spec
    private CommandSpec spec;

    /// Element types by the names that people give them.
    enum WeightType {
        FP16(DType.F16), BF16(DType.BF16), FP32(DType.F32);

        final DType dtype;

        WeightType(DType dtype) {
            this.dtype = dtype;
        }
    }

    @Override public Integer call() throws IOException {
        try (OutputFolder _ = OutputFolder.make(output)) {
            requireEmpty(output);
            long weights = RandomModel.write(output, arch, dtype.dtype, seed);
            spec.commandLine().getOut().println(output + ": " + arch.name().toLowerCase(Locale.ROOT) + " with random weights, " + weights + " in the UNet");
        }
        return ExitCode.DONE;
    }

    /// A model's folder must not mix with what another one left.
    static void requireEmpty(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            if (files.findAny().isPresent()) {
                throw new IOException(folder + ": must be new or empty, but holds files");
            }
        }
    }
}
