package dev.retrograd.core.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir Path folder;

    private List<String> files() throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test void createsAndReplacesLeavingNothingElse() throws IOException {
        Path file = folder.resolve("config.json");
        AtomicFile.writeString(file, "{}");
        AtomicFile.writeString(file, "{\"ü\":1}");
        assertEquals("{\"ü\":1}", Files.readString(file));
        assertEquals(List.of("config.json"), files());
    }

    @Test void aFailureKeepsTheOldFileAndNamesFileAndReason() throws IOException {
        Path file = folder.resolve("lora.safetensors");
        AtomicFile.writeString(file, "old");
        IOException e = assertThrows(IOException.class, () -> AtomicFile.write(file, out -> {
            out.write(new byte[100]);
            throw new IOException("No space left on device");
        }));
        assertEquals(file + ": could not be written: No space left on device", e.getMessage());
        assertEquals("old", Files.readString(file));
        assertEquals(List.of("lora.safetensors"), files());
    }

    @Test void aProgrammingErrorLeavesNothingBehind() throws IOException {
        assertThrows(IllegalStateException.class, () -> AtomicFile.write(folder.resolve("x"), out -> {
            throw new IllegalStateException("plan: has no values");
        }));
        assertEquals(List.of(), files());
    }

    @Test void aMissingFolderAndAFolderInTheWayAreErrors() throws IOException {
        Path orphan = folder.resolve("absent/x");
        IOException e = assertThrows(IOException.class, () -> AtomicFile.writeString(orphan, ""));
        assertEquals(orphan + ": could not be written: there is no folder " + orphan.getParent(), e.getMessage());
        Path taken = Files.createDirectories(folder.resolve("taken/inner")).getParent();
        assertTrue(assertThrows(IOException.class, () -> AtomicFile.writeString(taken, "")).getMessage().startsWith(taken + ": could not be written: "));
        assertEquals(List.of("taken"), files());
    }

    @Test void anInterruptedThreadStillWrites() throws IOException {
        Path file = folder.resolve("checkpoint");
        Thread.currentThread().interrupt();
        try {
            AtomicFile.writeString(file, "saved");
        } finally {
            assertTrue(Thread.interrupted(), "the interrupt is still pending");
        }
        assertEquals("saved", Files.readString(file));
    }
}
