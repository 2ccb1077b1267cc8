package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Attention;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.check.CheckReport;
import dev.retrograd.trainer.check.Finding;
import dev.retrograd.trainer.check.KernelCheck;
import dev.retrograd.trainer.check.KernelRates;
import dev.retrograd.trainer.check.UNetCheck;
import dev.retrograd.trainer.pretrain.RandomModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `retrograd gpu-check`: whether a GPU computes what the CPU does.
@Command(name = "gpu-check", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Runs every kernel of a GPU against the CPU on fresh random inputs, a miniature training run on both, and a full-size UNet and AlignProp update with random weights, and writes a report.",
        footer = {"", "Goes on after a failure; exit code 1 if anything failed. Files: report.md, report.json, and the training runs."})
final class GpuCheck implements Callable<Integer> {
    private static final int STEPS = 50;
    private static final int QUICK_STEPS = 2;
    private static final int UPDATES = 3;

    /// Parts of the check.
    enum Part { KERNELS, TRAINING, FULL_SIZE }

    @Option(names = "--device", paramLabel = "DEVICE", defaultValue = "cuda", description = "cuda or cuda:N; default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(names = "--output", paramLabel = "DIR", defaultValue = "gpu-check", description = "Folder for the report; default: ${DEFAULT-VALUE}.")
    private Path output;

    @Option(names = "--quick", description = "bf16 and f32 only, one update of the miniature, and 2 denoising steps of full size instead of 50.")
    private boolean quick;

    @Option(names = "--precision", paramLabel = "TYPE", split = ",", description = "Of bf16, fp16, tf32 and f32, those to check; default: all.")
    private Set<Precision> precisions;

    @Option(names = "--parts", paramLabel = "PART", split = ",", defaultValue = "kernels,training,full-size", description = "Of kernels, training and full-size, those to check; default: all.")
    private Set<String> parts;

    @Option(names = "--cases", paramLabel = "PATTERN", defaultValue = "", description = "Regular expression that names of kernels' cases must contain, to run one again; default: all.")
    private String cases;

    @Option(names = "--arch", paramLabel = "ARCH", defaultValue = "sd15", description = "What full size is: sd15, sd21 or tiny; default: ${DEFAULT-VALUE}.")
    private RandomModel.Arch arch;

    @Option(names = "--seed", paramLabel = "N", description = "Of the kernels' inputs, to repeat a check; default: by the clock.")
    private Long seed;

    @Spec
    private CommandSpec spec;

    private final List<Finding> findings = new ArrayList<>();
    private String section = "";
    private int shown;

    @Override public Integer call() throws IOException {
        Set<Part> wanted = parts.stream().map(GpuCheck::part).collect(Collectors.toCollection(LinkedHashSet::new));
        Pattern names = pattern();
        long inputs = seed == null ? System.currentTimeMillis() : seed;
        PrintWriter out = spec.commandLine().getOut();
        CheckReport report;
        try (Opened first = open(chosen().getFirst()); OutputFolder _ = OutputFolder.make(output)) {
            MakeRandomModel.requireEmpty(output);
            out.println("device " + first.name() + ", seed " + inputs);
            out.flush();
            report = new CheckReport(Environment.current(first.name()), inputs, findings);
            if (wanted.contains(Part.KERNELS)) {
                kernels(first.backend(), names, inputs);
            }
        }
        for (Precision p : chosen().subList(1, chosen().size())) {
            if (wanted.contains(Part.KERNELS)) {
                try (Opened opened = open(p)) {
                    kernels(opened.backend(), names, inputs);
                }
            }
        }
        if (wanted.contains(Part.KERNELS)) {
            Others.LIBRARIES.forEach(o -> others(o, chosen().getFirst(), names, inputs));
        }
        TrainingCheck training = new TrainingCheck(device, output);
        Files.createDirectories(output);
        if (wanted.contains(Part.TRAINING)) {
            for (Precision p : chosen()) {
                check("training", "miniature in " + p, () -> training.miniature(p, quick ? 1 : UPDATES));
            }
            check("training", "CUDA graphs in " + chosen().getFirst(), () -> training.graphs(chosen().getFirst(), UPDATES));
        }
        if (wanted.contains(Part.FULL_SIZE)) {
            fullSize(training, chosen().getFirst());
        }
        if (wanted.contains(Part.KERNELS)) {
            report.write(output);
            chosen().stream().filter(p -> p.activations() != DType.F32).findFirst().ifPresent(p -> Others.WARPGROUPS.forEach(o -> others(o, p, names, inputs)));
        }
        report.write(output);
        out.println(report.summary() + "; report: " + output.resolve("report.md"));
        return report.passed() ? ExitCode.DONE : ExitCode.FAILED;
    }

    private static Part part(String name) {
        for (Part p : Part.values()) {
            if (p.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(name)) {
                return p;
            }
        }
        throw new SettingException("--parts: must be some of kernels, training, full-size, got '" + name + "'");
    }

    private Pattern pattern() {
        try {
            return Pattern.compile(cases);
        } catch (PatternSyntaxException e) {
            throw new SettingException("--cases: must be a regular expression, got '" + cases + "': " + e.getDescription());
        }
    }

    private List<Precision> chosen() {
        List<Precision> all = precisions != null ? List.copyOf(precisions) : quick ? List.of(Precision.BF16, Precision.F32) : List.of(Precision.values());
        SettingException.require(!all.isEmpty(), "--precision", "one or more of bf16, fp16, tf32, f32", "none");
        return all;
    }

    /// A device that is closed with this.
    private record Opened(Backend backend, String name) implements AutoCloseable {
        @Override public void close() {
            backend.close();
        }
    }

    private Opened open(Precision precision) {
        return open(precision, o -> o);
    }

    private Opened open(Precision precision, UnaryOperator<BackendOptions> how) {
        Devices.Choice choice = new Devices().openGpu(device.toLowerCase(Locale.ROOT),
                how.apply(BackendOptions.of(spec.commandLine().getOut()::println).with(Optional.of(precision))));
        return new Opened(choice.backend(), choice.device());
    }

    private void kernels(Backend backend, Pattern names, long inputs) {
        try (Backend cpu = new CpuBackend()) {
            new KernelCheck(backend, cpu, inputs, names, false, this::report).run();
        }
    }

    /// Kernels that are used only where they are asked for.
    ///
    /// @param by whom, in the findings' names
    /// @param kinds what names of cases must match
    /// @param roundsTwice as {@link KernelCheck}
    private record Others(String what, String by, UnaryOperator<BackendOptions> options, KernelRates.Kind rates, String kinds, boolean roundsTwice) {
        private static final String PRODUCTS = "(?i)(?=.*(matmul|linear))";
        private static final String CONVOLUTIONS = "(?i)(?=.*convolution)";
        /// Of NVIDIA's libraries.
        private static final List<Others> LIBRARIES = List.of(new Others("products", "by cuBLAS", o -> o.with(Products.CUBLAS), KernelRates.Kind.PRODUCTS, PRODUCTS, true),
                new Others("convolutions", "by cuDNN", o -> o.with(Convolutions.CUDNN), KernelRates.Kind.CONVOLUTIONS, CONVOLUTIONS, true));
        /// Of Hopper's warpgroups.
        private static final List<Others> WARPGROUPS = List.of(new Others("products", "on warpgroups", o -> o.with(Products.HOPPER), KernelRates.Kind.PRODUCTS, PRODUCTS, false),
                new Others("convolutions", "on warpgroups", o -> o.with(Convolutions.HOPPER), KernelRates.Kind.CONVOLUTIONS, CONVOLUTIONS, false),
                new Others("attention", "on warpgroups", o -> o.with(Attention.HOPPER), KernelRates.Kind.ATTENTION, "(?i)(?=.*attention)", false));
    }

    /// What the host's libraries and Hopper's warpgroups do where they are asked to, and the rates beside those of the kernels that are used otherwise; a host that lacks them is told
    /// so. Warpgroups come last, and in contexts of their own: a kernel that is stopped takes its context along.
    private void others(Others o, Precision precision, Pattern names, long inputs) {
        PrintWriter out = spec.commandLine().getOut();
        try (Opened _ = open(precision, o.options)) {
            out.flush();
        } catch (IllegalStateException e) {
            out.println("\nnot checked, " + o.what + " " + o.by + ": " + e.getMessage());
            return;
        }
        check(o.what + " " + o.by, "rates in " + precision, () -> {
            List<KernelRates.Rate> baseline;
            try (Opened opened = open(precision)) {
                baseline = KernelRates.measure(opened.backend(), o.rates, arch != RandomModel.Arch.TINY);
            }
            try (Opened opened = open(precision, o.options); Backend cpu = new CpuBackend()) {
                Pattern of = Pattern.compile("(?=.*(" + names + "))" + o.kinds);
                new KernelCheck(opened.backend(), cpu, inputs, of, o.roundsTwice, f -> report(new Finding(f.section() + " " + o.by, f.name(), f.passed(), f.detail(), f.seconds()))).run();
                return KernelRates.beside(KernelRates.measure(opened.backend(), o.rates, arch != RandomModel.Arch.TINY), baseline, precision == Precision.F32 ? "ptx" : "mma.sync");
            }
        });
    }

    private void fullSize(TrainingCheck training, Precision precision) {
        check("full size", "UNet in " + precision, () -> {
            try (Opened opened = open(precision)) {
                return UNetCheck.run(opened.backend(), arch);
            }
        });
        int steps = quick ? QUICK_STEPS : STEPS;
        String name = arch.name().toLowerCase(Locale.ROOT);
        for (int kept : new int[] {1, steps}) {
            check("full size", "AlignProp update, K = " + kept + ", in " + precision, () -> training.update(name, precision, steps, kept));
        }
    }

    private void check(String of, String name, Finding.Work work) {
        report(Finding.of(of, name, work));
    }

    /// A line for each failure and figure at once, and a dot for each other one.
    private void report(Finding f) {
        PrintWriter out = spec.commandLine().getOut();
        findings.add(f);
        if (!f.section().equals(section)) {
            out.print((shown > 0 ? "\n" : "") + f.section() + "\n");
            section = f.section();
            shown = 0;
        }
        if (f.passed() && f.detail().isEmpty()) {
            out.print(".");
            shown++;
        } else {
            out.print((shown > 0 ? "\n" : "") + "  " + (f.passed() ? "passed " : "FAILED ") + f.name() + ": " + f.detail() + "\n");
            shown = 0;
        }
        out.flush();
    }
}
