package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NamedStreamsTest {

    private static final Path GOLDEN = Path.of("..", "golden", "rng");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, double[]> REFERENCE = new LinkedHashMap<>();

    /// A reading of the two dtypes that this file holds, apart from the product's reader so that the two cannot err together.
    @BeforeAll static void readReference() throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(GOLDEN.resolve("reference.safetensors"))).order(ByteOrder.LITTLE_ENDIAN);
        int headerBytes = Math.toIntExact(file.getLong(0));
        JsonNode header = JSON.readTree(file.array(), 8, headerBytes);
        header.properties().forEach(entry -> {
            JsonNode offsets = entry.getValue().path("data_offsets");
            int from = 8 + headerBytes + offsets.path(0).intValue();
            double[] values = new double[(offsets.path(1).intValue() - offsets.path(0).intValue()) / 4];
            String dtype = entry.getValue().path("dtype").textValue();
            Arrays.setAll(values, i -> switch (dtype) {
                case "F32" -> file.getFloat(from + 4 * i);
                case "I32" -> file.getInt(from + 4 * i);
                default -> fail(entry.getKey() + ": dtype must be F32 or I32, got " + dtype);
            });
            REFERENCE.put(entry.getKey(), values);
        });
    }

    @Test void everyCheckOfTheReferenceFolderPasses() throws IOException {
        JsonNode checks = JSON.readTree(GOLDEN.resolve("checks.json").toFile()).path("checks");
        assertEquals(58, checks.size());
        for (JsonNode check : checks) {
            String stream = check.path("stream").textValue();
            JsonNode expected = check.path("expect").path("values");
            double limit = expected.path("exact").asBoolean() ? 0 : expected.path("max_abs").asDouble();
            assertClose(stream, REFERENCE.get(expected.path("tensor").textValue()), NamedStreams.evaluate(stream).toDoubles(), limit);
        }
    }

    /// Includes Python's streams, which no check names.
    @Test void everyTensorOfTheReferenceIsReproduced() {
        assertEquals(64, REFERENCE.size());
        REFERENCE.forEach((name, values) -> {
            boolean normals = name.startsWith("randn") || name.startsWith("sequence");
            assertClose(name, values, NamedStreams.evaluate(name).toDoubles(), normals ? 1.3e-6 : 0);
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"s0.n16", "s0.n17", "s42.n64", "s42.n1000"})
    void blocksOfNormalsEqualTorchBitForBit(String suffix) {
        assertArrayEquals(REFERENCE.get("randn." + suffix), NamedStreams.evaluate("randn." + suffix).toDoubles());
    }

    /// As many as a latent of Stable Diffusion has, of which the reference folder need not hold more than what a hash tells: torch 1.13.0a0's values as little-endian float32.
    @ParameterizedTest
    @CsvSource({
        "0, 24efac55b39e95b2d74d8fb5b3a8e8a8e808bd04129f260c4cdbb225bb952a4d",
        "42, e97f3de04c7c6ba86354db4402b91d4402ede9c72aabed29a96dd7d635a798ba",
        "1234567, ce01fc5bf32976c338b1529704391440764d1ee06e1812a8df2566059d205b0f",
    })
    void aLatentsNormalsEqualTorchBitForBit(long seed, String sha256) throws NoSuchAlgorithmException {
        double[] values = NamedStreams.evaluate("randn.s" + seed + ".n16384").toDoubles();
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (double v : values) {
            bytes.putFloat((float) v);
        }
        assertEquals(sha256, HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.array())));
    }

    @Test void otherSeedsAndSizesAreParsed() {
        RandomStream stream = new RandomStream(-3);
        assertArrayEquals(stream.randint(-5, 1L << 40, 9), longs("randint.s-3.-5_1099511627776.n9"));
        assertArrayEquals(longs("randint.s-3.0_9.n9"), longs("randint.s18446744073709551613.0_9.n9"));
        assertEquals(0, NamedStreams.evaluate("randn.s1.n0").count());
        assertInstanceOf(NamedStreams.Doubles.class, NamedStreams.evaluate("randn_f64.s8.n3"));
        assertArrayEquals(longs("python.choice.s7"), longs("python.choice.s-7"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "randn", "randn.s1", "randn.n5.s1", "randnx.s1.n5", "rand.s1.0_5.n3", "randint.s1.n3", "sequence.s1.n3",
            "mt19937.s1", "randn.s1.n5.first", "python.shuffle.s1", "randn.s1.n-5", "randn.s１.n5 "})
    void refusesAnUnknownNameByName(String name) {
        var error = assertThrows(IllegalArgumentException.class, () -> NamedStreams.evaluate(name));
        assertTrue(error.getMessage().endsWith("got '" + name + "'"), error.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "randn.s18446744073709551616.n5 | stream 'randn.s18446744073709551616.n5': seed must be -2^63..2^64-1, got 18446744073709551616",
            "randn.s1.n99999999999 | stream 'randn.s1.n99999999999': size must be 0..134217728, got 99999999999",
            "randint.s1.0_9223372036854775808.n1 "
                    + "| stream 'randint.s1.0_9223372036854775808.n1': bound must be -2^63..2^63-1, got 9223372036854775808",
            "randint.s1.5_5.n1 | randint: lo must be below hi, got 5, 5"})
    void refusesNumbersOutOfRange(String name, String message) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, () -> NamedStreams.evaluate(name)).getMessage());
    }

    private static long[] longs(String name) {
        return assertInstanceOf(NamedStreams.Longs.class, NamedStreams.evaluate(name)).values();
    }

    private static void assertClose(String name, double[] expected, double[] actual, double limit) {
        assertEquals(expected.length, actual.length, name);
        for (int i = 0; i < expected.length; i++) {
            if (!(Math.abs(expected[i] - actual[i]) <= limit)) {
                fail(name + "[" + i + "]: must be within " + limit + " of " + expected[i] + ", got " + actual[i]);
            }
        }
    }
}
