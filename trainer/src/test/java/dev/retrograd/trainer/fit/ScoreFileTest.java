package dev.retrograd.trainer.fit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScoreFileTest {
    @TempDir Path folder;

    private Path written(String text) throws IOException {
        return Files.writeString(folder.resolve("scores.csv"), text);
    }

    private void refused(String text, String message) throws IOException {
        Path file = written(text);
        assertEquals(file + ": " + message, assertThrows(IOException.class, () -> ScoreFile.read(file)).getMessage());
    }

    @Test void readsScoresInTheOrderOfTheLines() throws IOException {
        Map<String, Float> scores = ScoreFile.read(written("\uFEFFFile, Score\r\nb.png,1.5\r\n\r\n sub/a.jpg , -2e-1 \n\"x, \"\"y\"\".png\",3"));
        assertEquals(List.of("b.png", "sub/a.jpg", "x, \"y\".png"), List.copyOf(scores.keySet()));
        assertEquals(List.of(1.5f, -0.2f, 3f), List.copyOf(scores.values()));
    }

    @Test void refusesWhatIsNoScore() throws IOException {
        refused("", "at least one line file,score is required, got none");
        refused("file,score\n", "at least one line file,score is required, got none");
        refused("a.png,1\nb.png\n", "line 2: must be file,score, got 'b.png'");
        refused("a.png,1\nb.png,good\n", "line 2: the score must be a number, got 'good'");
        refused("a.png,NaN\n", "line 1: the score must be finite, got NaN");
        refused("a.png,1\na.png,2\n", "line 2: each file must come once, got 'a.png' again");
    }

    @Test void refusesFilesThatAreNoText() throws IOException {
        Path file = folder.resolve("scores.csv");
        Files.write(file, new byte[] {'a', ',', '1', '\n', (byte) 0xFF});
        assertEquals(file + ": scores must be UTF-8, got other bytes", assertThrows(IOException.class, () -> ScoreFile.read(file)).getMessage());
        assertEquals(folder + ": a CSV file of scores is required, but this is none", assertThrows(IOException.class, () -> ScoreFile.read(folder)).getMessage());
    }
}
