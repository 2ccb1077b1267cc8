package dev.retrograd.core.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShardedFileTest {
    @TempDir Path folder;

    @BeforeEach void writeShards() throws IOException {
        new SafeTensorsWriter().add("a", Shape.of(2), 1, 2).add("b", Shape.of(1), 3).write(folder.resolve("model-00001-of-00002.safetensors"));
        new SafeTensorsWriter().add("c", Shape.of(1, 2), 4, 5).write(folder.resolve("model-00002-of-00002.safetensors"));
    }

    private Path index(String map) throws IOException {
        return Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"metadata\": {\"total_size\": 20}, \"weight_map\": " + map + "}");
    }

    @Test void tensorsAreReadFromTheFileThatTheIndexSays() throws IOException {
        Path index = index("{\"a\": \"model-00001-of-00002.safetensors\", \"b\": \"model-00001-of-00002.safetensors\", \"c\": \"model-00002-of-00002.safetensors\"}");
        try (TensorFile model = ShardedFile.open(index)) {
            assertEquals(Set.of("a", "b", "c"), model.names());
            assertArrayEquals(new float[] {1, 2}, model.floats("a"));
            assertArrayEquals(new float[] {4, 5}, model.floats("c"));
            assertEquals(Shape.of(1, 2), model.spec("c").shape());
            String message = assertThrows(ModelFormatException.class, () -> model.spec("d")).getMessage();
            assertTrue(message.endsWith("is required, but there is none among its 3"), message);
        }
    }

    @ParameterizedTest @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{}|must name a file for each tensor, got none",
        "[]|must name a file for each tensor, got ARRAY",
        "{\"a\": 7}|must be in a file beside the index, got '7'",
        "{\"a\": \"../model-00001-of-00002.safetensors\"}|must be in a file beside the index, got",
        "{\"a\": \"/etc/hostname\"}|must be in a file beside the index, got",
        "{\"a\": \"absent.safetensors\"}|a file of weights is required, but there is none",
        "{\"z\": \"model-00001-of-00002.safetensors\"}|must be in model-00001-of-00002.safetensors, which lacks it",
        "{\"a\": \"model-00001-of-00002.safetensors\"|not JSON"})
    void refusesIndexesThatAreWrong(String map, String message) throws IOException {
        Path index = index(map);
        String got = assertThrows(ModelFormatException.class, () -> ShardedFile.open(index)).getMessage();
        assertTrue(got.contains(message), got);
    }
}
