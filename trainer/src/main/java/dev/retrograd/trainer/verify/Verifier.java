package dev.retrograd.trainer.verify;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/// Computes the checks of reference folders on a backend and compares the results with the reference tensors.
///
/// A check that cannot be computed fails its own lines with the reason; the others go on. So does a check of a kind that is not known.
public final class Verifier {
    private final Backend backend;
    private final Consumer<Outcome> report;

    /// @param report is told every outcome as soon as it is known
    public Verifier(Backend backend, Consumer<Outcome> report) {
        this.backend = backend;
        this.report = report;
    }

    /// Verifies one folder.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException if it is not a reference folder of a known format; the message names it
    public void verify(Path path) throws IOException {
        try (ReferenceFolder folder = ReferenceFolder.open(path); Models models = new Models(backend)) {
            for (Check check : folder.checks()) {
                verify(check, folder, models);
            }
        }
    }

    private void verify(Check check, ReferenceFolder folder, Models models) {
        Kind kind = Kinds.BY_NAME.get(check.kind());
        if (kind == null) {
            fail(check, "unknown kind '" + check.kind() + "', not one of " + String.join(", ", Kinds.BY_NAME.keySet()), Optional.empty());
            return;
        }
        CheckRun run = new CheckRun(backend, check, folder, models);
        try (Scope _ = backend.memory().open(check.kind())) {
            kind.compute(run);
            check.options().done();
        } catch (IOException | RuntimeException e) {
            // Also what may be a defect: it must not hide how the other checks fare.
            fail(check, e.getMessage() == null ? e.toString() : e.getMessage(), Optional.of(e));
            return;
        }
        for (Map.Entry<String, ModelConfig> expected : check.expected().entrySet()) {
            report.accept(compare(check, expected.getKey(), expected.getValue(), folder, run));
        }
    }

    private void fail(Check check, String reason, Optional<Exception> cause) {
        check.expected().keySet().forEach(name -> report.accept(Outcome.failed(check.kind(), name, "-", reason, cause)));
    }

    private static Outcome compare(Check check, String name, ModelConfig limits, ReferenceFolder folder, CheckRun run) {
        try {
            Expectation e = Expectation.of(name, limits);
            Values reference = Values.read(folder.reference(), e.tensor());
            Optional<Values> ours = run.result(name);
            if (ours.isEmpty()) {
                return Outcome.failed(check.kind(), name, e.limitText(), e.tensor() + ": '" + check.kind() + "' gives no such result", Optional.empty());
            }
            return Outcome.of(check.kind(), e, e.judge(ours.get(), reference));
        } catch (IOException e) {
            return Outcome.failed(check.kind(), name, "-", e.getMessage(), Optional.of(e));
        }
    }
}
