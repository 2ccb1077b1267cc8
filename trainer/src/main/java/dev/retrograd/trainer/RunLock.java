package dev.retrograd.trainer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/// Keeps a run folder for one process: a locked file, which the operating system unlocks when the process ends, however it ends.
final class RunLock implements AutoCloseable {
    private static final String NAME = ".lock";

    private final Path file;
    private final FileChannel channel;

    private RunLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /// @throws IOException if another run has the folder, or it cannot be written; names the folder
    static RunLock take(Path folder) throws IOException {
        Optional<RunLock> lock = Optional.empty();
        while (lock.isEmpty()) {
            lock = attempt(folder);
        }
        return lock.get();
    }

    /// Nothing if the run that had the folder removed the file between our opening and our locking it. (The file must not be opened again to see
    /// that: POSIX drops a process's lock when any of its descriptors of the file is closed.)
    private static Optional<RunLock> attempt(Path folder) throws IOException {
        Path file = folder.resolve(NAME);
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        boolean kept = false;
        try {
            if (!lock(channel)) {
                throw new IOException(folder + ": in use by another run; wait for it or choose another --output");
            }
            kept = Files.exists(file);
            return kept ? Optional.of(new RunLock(file, channel)) : Optional.empty();
        } finally {
            if (!kept) {
                channel.close();
            }
        }
    }

    private static boolean lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            return false; // this very process has it
        }
    }

    /// Removes the file, which {@link #close()} leaves where it is.
    void remove() throws IOException {
        Files.deleteIfExists(file);
    }

    /// Unlocks the folder.
    @Override public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be unlocked: " + e.getMessage(), e);
        }
    }
}
