package dev.retrograd.trainer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// A folder for results, made if need be before the work, so that work is not lost for want of a place; whoever puts nothing into it leaves none behind.
public final class OutputFolder implements AutoCloseable {
    /// Deepest first.
    private final List<Path> created;

    private OutputFolder(List<Path> created) {
        this.created = created;
    }

    /// @throws IOException if it is no folder, cannot be made, or cannot be written; names it
    public static OutputFolder make(Path folder) throws IOException {
        OutputFolder made = new OutputFolder(missing(folder));
        boolean done = false;
        try {
            Files.createDirectories(folder);
            if (!Files.isWritable(folder)) {
                throw new IOException(folder + ": the output folder must be writable");
            }
            done = true;
            return made;
        } catch (FileAlreadyExistsException e) {
            throw new IOException(folder + ": must be a folder, but " + (e.getFile().equals(folder.toString()) ? "it" : e.getFile()) + " is a file", e);
        } finally {
            if (!done) {
                made.close();
            }
        }
    }

    private static List<Path> missing(Path folder) {
        List<Path> missing = new ArrayList<>();
        for (Path at = folder.toAbsolutePath().normalize(); at != null && Files.notExists(at); at = at.getParent()) {
            missing.add(at);
        }
        return missing;
    }

    /// Removes what was made here, as far as it is empty.
    @Override public void close() {
        try {
            for (Path folder : created) {
                Files.deleteIfExists(folder);
            }
        } catch (DirectoryNotEmptyException used) {
            // what it was made for
        } catch (IOException e) {
            throw new UncheckedIOException(created.getFirst() + ": the empty folder cannot be removed: " + e.getMessage(), e);
        }
    }

    /// Deletes a folder and what is in it, if it exists.
    static void deleteTree(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(p);
            }
        }
    }
}
