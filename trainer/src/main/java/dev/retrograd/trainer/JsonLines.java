package dev.retrograd.trainer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/// A file with one JSON object a line, each of which says after how many updates it was written (`update`).
///
/// @param file need not exist
record JsonLines(Path file) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Adds a line, all of it or nothing.
    ///
    /// @throws IOException if it cannot be written
    void append(Record line) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            long end = channel.size();
            boolean whole = false;
            try {
                channel.position(end);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                whole = true;
            } finally {
                if (!whole) {
                    channel.truncate(end);
                }
            }
        } catch (IOException e) {
            throw new IOException(file + ": could not be written: " + e.getMessage(), e);
        }
    }

    /// Drops what was written after more updates than these, and half a line of a process that was killed while writing.
    void keepUpTo(int updates) throws IOException {
        if (!Files.exists(file)) {
            return;
        }
        List<String> kept = lines().stream().filter(line -> isWithin(line, updates)).toList();
        AtomicFile.writeString(file, String.join("", kept.stream().map(l -> l + "\n").toList()));
    }

    private List<String> lines() throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
    }

    private static boolean isWithin(String line, int updates) {
        try {
            JsonNode update = JSON.readTree(line).get("update");
            return update != null && update.asInt() <= updates;
        } catch (JsonProcessingException e) {
            return false;
        }
    }

    /// All lines; none if there is no file.
    ///
    /// @throws IOException if a line is not of this type
    <T> List<T> read(Class<T> type) throws IOException {
        List<T> all = new ArrayList<>();
        for (String line : Files.exists(file) ? lines() : List.<String>of()) {
            all.add(JSON.readValue(line, type));
        }
        return all;
    }
}
