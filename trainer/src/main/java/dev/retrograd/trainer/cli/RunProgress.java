package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.Metrics;
import dev.retrograd.trainer.TrainListener;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.stream.Collectors;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/// Shows a run: a bar for what goes on and a line for each update on a terminal, the lines alone elsewhere.
final class RunProgress implements TrainListener, AutoCloseable {
    private static final int MIB = 1 << 20;

    private final PrintWriter out;
    private final boolean terminal = System.console() != null && System.console().isTerminal();
    private ProgressBar bar;
    private boolean stillTold;

    RunProgress(PrintWriter out) {
        this.out = out;
    }

    @Override public void began(String what, long total) {
        close();
        if (terminal) {
            bar = new ProgressBarBuilder().setTaskName(what).setInitialMax(total).setStyle(ProgressBarStyle.ASCII).setUnit(" steps", 1).clearDisplayOnFinish().build();
        }
    }

    @Override public void progressed(long done) {
        if (bar != null) {
            bar.stepTo(done);
        }
    }

    @Override public void updated(Metrics m, int updates) {
        said(String.format(Locale.ROOT, "update %d/%d  K %d  reward %.4f ± %.4f  loss %.4f  gradient %.4g  lr %.3g  %.1f s  %d MiB", m.update(), updates, m.k(),
                m.rewardMean(), m.rewardStd(), m.loss(), m.gradNorm(), m.learningRate(), m.seconds(), m.peakBytes() / MIB) + further(m));
        if (m.gradNorm() == 0 && !stillTold) {
            stillTold = true;
            said("note: the gradient is 0, so this update teaches nothing (refl: a reward above --refl-margin has no gradient)");
        }
    }

    private static String further(Metrics m) {
        String details = m.details().entrySet().stream().map(e -> String.format(Locale.ROOT, "  %s %.4g", e.getKey().replace('_', ' '), e.getValue())).collect(Collectors.joining());
        return details + m.tracked().entrySet().stream().map(e -> String.format(Locale.ROOT, "  %s %.4f", e.getKey(), e.getValue())).collect(Collectors.joining());
    }

    @Override public void said(String line) {
        close();
        out.println(line);
        out.flush();
    }

    @Override public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
