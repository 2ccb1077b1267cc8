package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.sun.management.ThreadMXBean;
import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.core.testing.TorchCheckpoint;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files with random damage: every parser either reads them or says in one sentence what is wrong, without taking memory out of proportion.
///
/// `-Dfuzz.rounds=100000` makes it a search of hours.
class ParserFuzzTest {
    private static final int ROUNDS = Integer.getInteger("fuzz.rounds", 300);
    private static final int LARGEST_CHANGE = 8;
    /// A parser's objects are larger than the bytes that they were read from.
    private static final long BYTES_PER_BYTE = 400;
    private static final long BYTES_FOR_NOTHING = 4L << 20;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    /// What damage likes to write: ends of ranges, quotes, brackets, opcodes.
    private static final byte[] FAVOURITES = {0, -1, 127, -128, '"', '{', '}', '[', ']', '\n', '.', 'R', 'c', 'q', '(', '9'};

    @TempDir private Path temp;

    @FunctionalInterface
    private interface Parser {
        void parse(Path file) throws IOException;
    }

    private void survives(String name, byte[] whole, Parser parser) throws IOException {
        Path file = temp.resolve(name);
        Files.write(file, whole);
        parser.parse(file);
        for (int round = 0; round < ROUNDS; round++) {
            byte[] damaged = damage(whole, RandomStream.keyed(5, name.hashCode(), round));
            Files.write(file, damaged);
            long before = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId());
            try {
                parser.parse(file);
            } catch (IOException | IllegalArgumentException e) {
                String message = e.getMessage();
                assertTrue(message != null && !message.isBlank() && !message.contains("\n"), () -> "round " + Arrays.toString(e.getStackTrace()));
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                fail(name + ", damaged: a sentence is required, got " + e, e);
            }
            long taken = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId()) - before;
            assertTrue(taken <= BYTES_FOR_NOTHING + BYTES_PER_BYTE * damaged.length, name + ", round " + round + ": " + taken + " bytes for a file of " + damaged.length);
        }
    }

    /// A few bytes changed, dropped, doubled, or the file cut.
    private static byte[] damage(byte[] whole, RandomStream random) {
        byte[] bytes = whole.clone();
        for (int change = 1 + below(random, LARGEST_CHANGE); change > 0 && bytes.length > 1; change--) {
            // Headers decide more than data: half of the damage goes to the first bytes.
            int at = below(random, below(random, 2) == 0 ? Math.min(bytes.length, 512) : bytes.length);
            switch (below(random, 5)) {
                case 0 -> bytes[at] = (byte) below(random, 256);
                case 1 -> bytes[at] = FAVOURITES[below(random, FAVOURITES.length)];
                case 2 -> bytes = Arrays.copyOf(bytes, at + 1);
                case 3 -> {
                    byte[] shorter = new byte[bytes.length - 1];
                    System.arraycopy(bytes, 0, shorter, 0, at);
                    System.arraycopy(bytes, at + 1, shorter, at, shorter.length - at);
                    bytes = shorter;
                }
                default -> {
                    int length = Math.min(bytes.length - at, 1 + below(random, 32));
                    byte[] longer = new byte[bytes.length + length];
                    System.arraycopy(bytes, 0, longer, 0, at + length);
                    System.arraycopy(bytes, at, longer, at + length, bytes.length - at);
                    bytes = longer;
                }
            }
        }
        return bytes;
    }

    private static int below(RandomStream random, int bound) {
        return (int) Math.floorMod(random.nextU64(), (long) bound);
    }

    private static void readAll(TensorFile file) throws IOException {
        for (String name : file.names()) {
            file.bytes(name);
        }
    }

    @Test void safetensors() throws IOException {
        byte[] whole = Files.readAllBytes(Golden.path("ci-alignprop/lora/pytorch_lora_weights.safetensors"));
        survives("x.safetensors", whole, file -> {
            try (SafeTensors t = SafeTensors.open(file)) {
                readAll(t);
            }
        });
    }

    @Test void pyTorchCheckpoints() throws IOException {
        Path written = temp.resolve("written.bin");
        try (SafeTensors t = SafeTensors.open(Golden.path("ci-alignprop/lora/pytorch_lora_weights.safetensors"))) {
            TorchCheckpoint.write(t, written);
        }
        survives("x.bin", Files.readAllBytes(written), file -> {
            try (TensorFile t = TensorFile.open(file)) {
                readAll(t);
            }
        });
    }

    @Test void loraFiles() throws IOException {
        survives("lora.safetensors", Files.readAllBytes(Golden.path("ci-alignprop/lora_old/pytorch_lora_weights.safetensors")), file -> LoraFile.read(file, OptionalDouble.empty()));
    }

    @Test void configurations() throws IOException {
        survives("config.json", Files.readAllBytes(Golden.path("ci-sd/model/unet/config.json")), file -> UNetConfig.of(ModelConfig.read(file)));
    }

    @Test void tokenizers() throws IOException {
        Path tokenizer = Files.createDirectories(temp.resolve("tokenizer"));
        try (EmbeddedModel embedded = EmbeddedModel.unpack()) {
            Path from = embedded.files().model().resolve("tokenizer");
            for (String name : new String[] {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"}) {
                Files.copy(from.resolve(name), tokenizer.resolve(name));
            }
        }
        for (String name : new String[] {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
            byte[] whole = Files.readAllBytes(tokenizer.resolve(name));
            survives(name, whole, file -> {
                Files.copy(file, tokenizer.resolve(name), StandardCopyOption.REPLACE_EXISTING);
                ClipTokenizer.load(tokenizer).tokenize("a red ring");
            });
            Files.write(tokenizer.resolve(name), whole);
        }
    }

    @Test void prompts() throws IOException {
        survives("prompts.txt", "a fox\n# no\n\nan owl in a tree\n".getBytes(StandardCharsets.UTF_8), PromptSource::file);
        survives("prompts.jsonl", "{\"prompt\": \"a fox\"}\n{\"text\": \"an owl\"}\n".getBytes(StandardCharsets.UTF_8), PromptSource::file);
        survives("prompts.json", "[\"a fox\", \"an owl\"]".getBytes(StandardCharsets.UTF_8), PromptSource::file);
    }
}
