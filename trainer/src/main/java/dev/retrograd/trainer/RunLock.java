package dev.retrograd.trainer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
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

    /// Nothing if the run that had the folder removed the file between our opening and our locking it.
    private static Optional<RunLock> attempt(Path folder) throws IOException {
        Path file = folder.resolve(NAME);
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        RunLock lock = new RunLock(file, channel);
        boolean locked = false;
        boolean kept = false;
        try {
            locked = lock(channel);
            if (!locked) {
                throw new IOException(folder + ": in use by another run; wait for it or choose another --output");
            }
            String owner = ProcessHandle.current().pid() + " " + System.nanoTime() + "\n";
            channel.truncate(0);
            channel.write(ByteBuffer.wrap(owner.getBytes(StandardCharsets.UTF_8)));
            kept = owner.equals(content(file));
            return kept ? Optional.of(lock) : Optional.empty();
        } finally {
            if (locked && !kept && channel.size() == 0) {
                Files.deleteIfExists(file); // on a full disk
            }
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

    private static String content(Path file) throws IOException {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException removed) {
            return "";
        }
    }

    /// Removes the file while it is still locked, then unlocks it.
    @Override public void close() {
        try (channel) {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be unlocked: " + e.getMessage(), e);
        }
    }
}
