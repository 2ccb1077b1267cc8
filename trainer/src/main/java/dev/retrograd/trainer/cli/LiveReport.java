package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.report.ReportServer;
import java.awt.Desktop;
import java.awt.GraphicsEnvironment;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;

/// The page of a run while it goes on.
@FunctionalInterface
interface LiveReport extends AutoCloseable {
    LiveReport NONE = () -> { };

    /// Serves it, says where, and shows it where there is a screen.
    ///
    /// @throws IOException if no port can be had
    static LiveReport open(Path run, PrintWriter out) throws IOException {
        ReportServer server = ReportServer.start(run, 0);
        out.println("report: " + server.address() + " while this runs");
        out.flush();
        if (!GraphicsEnvironment.isHeadless() && Desktop.isDesktopSupported() && Desktop.getDesktop().isSupported(Desktop.Action.BROWSE)) {
            try {
                Desktop.getDesktop().browse(server.address());
            } catch (IOException e) {
                out.println("report: no browser could be opened: " + e.getMessage());
            }
        }
        return server::close;
    }

    @Override void close();
}
