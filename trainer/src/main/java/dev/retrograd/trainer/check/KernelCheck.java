package dev.retrograd.trainer.check;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Scope;
import dev.retrograd.core.contract.ContractCase;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// Every kernel of a device in one precision: the cases of the unit tests, and the shapes of Stable Diffusion 1.5 against the CPU backend.
public final class KernelCheck {
    private final Backend device;
    private final Backend cpu;
    private final long seed;
    private final Pattern names;
    private final boolean roundsTwice;
    private final Consumer<Finding> listener;
    private boolean answers = true;

    /// @param cpu computes in float32
    /// @param seed of all inputs
    /// @param names what names of cases must contain
    /// @param roundsTwice whether another library does products, whose results are rounded before what follows them
    /// @param listener hears of each finding as it is made
    public KernelCheck(Backend device, Backend cpu, long seed, Pattern names, boolean roundsTwice, Consumer<Finding> listener) {
        this.device = device;
        this.cpu = cpu;
        this.seed = seed;
        this.names = names;
        this.roundsTwice = roundsTwice;
        this.listener = listener;
    }

    /// Runs all cases of the device's precision; after a failure of the device itself, which cannot be used from then on, says so once.
    public void run() {
        Precision precision = device.precision();
        for (ContractCase c : chosen(ContractCase.all(precision))) {
            report("kernels " + precision, c.toString(), () -> {
                if (roundsTwice) {
                    c.runRoundingTwice(device, seed);
                } else {
                    c.run(device, seed);
                }
                return "";
            });
        }
        for (ModelShape shape : ModelShape.all()) {
            if (names.matcher(shape.name()).find()) {
                report("model shapes " + precision, shape.name(), () -> shape.compare(device, cpu, seed));
            }
        }
    }

    private List<ContractCase> chosen(List<ContractCase> all) {
        return all.stream().filter(c -> names.matcher(c.toString()).find()).toList();
    }

    private void report(String section, String name, Finding.Work work) {
        if (!answers) {
            return;
        }
        Finding finding = Finding.of(section, name, work);
        listener.accept(finding);
        answers = finding.passed() || answers();
        if (!answers) {
            listener.accept(new Finding(section, "all that follow", false, "not run: the device has failed, and does nothing more in this process", 0));
        }
    }

    /// A device that a kernel has broken refuses everything.
    private boolean answers() {
        Finding probe = Finding.of("", "", () -> {
            try (Scope _ = device.memory().open("probe")) {
                Tensor x = device.empty("probe", Spec.f32(1));
                device.fill(x, 1);
                return String.valueOf(device.toFloats(x)[0]);
            }
        });
        return probe.passed();
    }
}
