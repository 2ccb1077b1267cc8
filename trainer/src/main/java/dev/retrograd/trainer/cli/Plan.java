package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `retrograd plan`: what a training run would take.
@Command(name = "plan", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Tells the memory, arithmetic and time of a training run before it runs: takes the settings of train, reads configurations and no weights, and needs no GPU.",
        footer = {"", "Settings come from the method's defaults, the preset of the model inside the jar (without --model and --arch), then --config, then flags."})
final class Plan implements Callable<Integer> {
    /// What a CUDA context and its modules take on the device beside tensors; drivers differ.
    private static final long CUDA_CONTEXT = 512L << 20;
    private static final double TERA = 1e12;
    private static final double GIGA = 1e9;
    private static final double MICRO = 1e-6;

    @Mixin
    private TrainOptions options;

    @Option(names = "--depth", paramLabel = "N", defaultValue = "1", description = "Levels of nested segments in the table, 0 for none; default: ${DEFAULT-VALUE}.")
    private int depth;

    @Option(names = "--flops", paramLabel = "TFLOPS", description = "TFLOP/s that the device reaches in matrix products, for the time; default: measured on this CPU; unknown of a GPU.")
    private Double flops;

    @Option(names = "--bandwidth", paramLabel = "GBS", description = "GB/s of the device's memory, likewise.")
    private Double bandwidth;

    @Option(names = "--roofline", description = "Tell what bounds each kernel of an update, arithmetic, memory traffic or launches, at --flops, --bandwidth and --launch.")
    private boolean roofline;

    @Option(names = "--launch", paramLabel = "MICROSECONDS", defaultValue = "3", description = "What a kernel takes at least, for --roofline; default: ${DEFAULT-VALUE}.")
    private double launch;

    @Option(names = "--markdown", paramLabel = "FILE", description = "Write the table of --roofline to a file as Markdown too.")
    private Path markdown;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON, e.g. the config.json of a run; flags override them.")
    private Path config;

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        SettingException.require(depth >= 0, "--depth", "0 or more", depth);
        SettingException.require(launch >= 0 && Double.isFinite(launch), "--launch", "a number of microseconds, 0 or more", launch);
        SettingException.require(markdown == null || roofline, "--markdown", "given together with --roofline", markdown);
        TrainOptions.Request request = options.request();
        DeviceOptions.Planned device = options.model().devices().planned();
        try (CpuBackend cpu = options.model().devices().cpu()) {
            PlanBackend plan = new PlanBackend(device.device(), device.cpu() ? cpu.workspaceBytes() : CUDA_CONTEXT, device.precision());
            StableDiffusion model = options.model().shapes(plan);
            try (PlannedRun run = new PlannedRun(options, request, plan, model, device.graphs())) {
                Optional<Ceilings> ceilings = ceilings(!device.cpu(), cpu);
                SettingException.require(!roofline || ceilings.isPresent(), "--roofline", "given together with --flops and --bandwidth for a GPU", "neither");
                PlanReport report = PlanReport.of(run, options.model().name(), depth, ceilings, roofline ? OptionalDouble.of(launch * MICRO) : OptionalDouble.empty());
                PrintWriter out = spec.commandLine().getOut();
                if (json) {
                    out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(report.json()));
                } else {
                    report.lines().forEach(out::println);
                }
                out.flush();
                if (markdown != null) {
                    AtomicFile.writeString(markdown, report.roofline().orElseThrow().table().markdown());
                }
            }
        }
        return ExitCode.DONE;
    }

    /// Given, or measured where the device is at hand.
    private Optional<Ceilings> ceilings(boolean gpu, CpuBackend cpu) {
        SettingException.require(flops == null || flops > 0 && Double.isFinite(flops), "--flops", "a number of TFLOP/s above 0", flops);
        SettingException.require(bandwidth == null || bandwidth > 0 && Double.isFinite(bandwidth), "--bandwidth", "a number of GB/s above 0", bandwidth);
        if (flops != null && bandwidth != null) {
            return Optional.of(new Ceilings(flops * TERA, bandwidth * GIGA));
        }
        if (gpu) {
            SettingException.require(flops == null && bandwidth == null, "--flops", "given together with --bandwidth for a GPU", flops == null ? "the latter alone" : flops);
            return Optional.empty();
        }
        Ceilings measured = Ceilings.measure(cpu);
        return Optional.of(new Ceilings(flops == null ? measured.flops() : flops * TERA, bandwidth == null ? measured.bandwidth() : bandwidth * GIGA));
    }
}
