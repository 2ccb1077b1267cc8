package dev.retrograd.trainer.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.trainer.Metrics;
import dev.retrograd.trainer.TrainListener;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import javax.imageio.ImageIO;

/// Writes a run's curves and pictures into TensorBoard's event files as it goes, and passes on what it hears.
public final class RunRecorder implements TrainListener, AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final TrainListener next;
    private TensorBoardFile events;

    public RunRecorder(TrainListener next) {
        this.next = next;
    }

    /// Must come before anything is heard.
    ///
    /// @param folder of the event files
    /// @param done updates that the run has behind it
    /// @throws IOException if the folder cannot be written
    public void start(Path folder, int done) throws IOException {
        events = TensorBoardFile.open(folder, done);
    }

    @Override public void began(String what, long total) {
        next.began(what, total);
    }

    @Override public void progressed(long done) {
        next.progressed(done);
    }

    /// @throws UncheckedIOException if the event file cannot be written
    @Override public void updated(Metrics metrics, int updates) {
        JsonNode all = JSON.valueToTree(metrics);
        try {
            for (Map.Entry<String, JsonNode> e : all.properties()) {
                if (e.getValue().isNumber() && !e.getKey().equals("update")) {
                    events.scalar(e.getKey().contains("/") ? e.getKey() : "train/" + e.getKey(), metrics.update(), e.getValue().doubleValue());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        next.updated(metrics, updates);
    }

    /// @throws UncheckedIOException if the picture cannot be read or the event file not written
    @Override public void sampled(int updates, Path picture) {
        try {
            byte[] png = Files.readAllBytes(picture);
            BufferedImage size = ImageIO.read(new ByteArrayInputStream(png));
            events.image("samples", updates, size.getWidth(), size.getHeight(), png);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        next.sampled(updates, picture);
    }

    @Override public void said(String line) {
        next.said(line);
    }

    @Override public void close() throws IOException {
        if (events != null) {
            events.close();
        }
    }
}
