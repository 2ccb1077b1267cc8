package dev.retrograd.core.io;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/// Writes files so that a reader, or a restart after a crash, sees the old content or the new one and nothing between.
///
/// Content goes to a temporary name in the same folder, is synced to the device, and renamed; then the folder is synced. An interrupted
/// thread still writes to the end: the stream is not interruptible. One file is written by one thread at a time.
public final class AtomicFile {
    private AtomicFile() {
    }

    /// What a file is to contain.
    @FunctionalInterface public interface Content {
        /// Writes all of it; the stream is unbuffered and is closed by the caller.
        void writeTo(OutputStream out) throws IOException;
    }

    /// Replaces or creates a file.
    ///
    /// @throws IOException if it cannot be written (no folder, no permission, disk full); names the file and the reason, and what was there before is untouched
    public static void write(Path target, Content content) throws IOException {
        Path absolute = target.toAbsolutePath();
        Path temporary = absolute.resolveSibling("." + absolute.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
        boolean renamed = false;
        try {
            requireFolder(absolute.getParent());
            try (FileOutputStream out = new FileOutputStream(temporary.toFile())) {
                content.writeTo(out);
                out.getFD().sync();
            }
            Files.move(temporary, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            renamed = true;
            syncFolder(absolute.getParent());
        } catch (IOException e) {
            throw new IOException(target + ": could not be written: " + reason(e), e);
        } finally {
            if (!renamed) {
                Files.deleteIfExists(temporary);
            }
        }
    }

    /// Replaces or creates a file; as {@link #write(Path, Content)}.
    public static void write(Path target, byte[] content) throws IOException {
        write(target, out -> out.write(content));
    }

    /// Replaces or creates a UTF-8 file; as {@link #write(Path, Content)}.
    public static void writeString(Path target, String content) throws IOException {
        write(target, content.getBytes(StandardCharsets.UTF_8));
    }

    private static void requireFolder(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new NoSuchFileException(folder.toString(), null, "there is no folder " + folder);
        }
    }

    /// Makes the rename itself durable, where folders can be opened as files. Folders open only as channels, which an interrupt closes: then again.
    private static void syncFolder(Path folder) throws IOException {
        if (!folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            return;
        }
        boolean interrupted = Thread.interrupted();
        try {
            boolean synced = false;
            while (!synced) {
                try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                    channel.force(true);
                    synced = true;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static String reason(IOException e) {
        String reason = e instanceof FileSystemException f && f.getReason() != null ? f.getReason() : e.getMessage();
        return reason == null ? e.getClass().getSimpleName() : reason;
    }
}
