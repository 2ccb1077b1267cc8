package dev.retrograd.trainer.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.NamedStreams;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What `verify` makes of folders in which something is wrong, on a check that takes no model: ten numbers of a stream.
class VerifyTest {
    private static final String STREAM = "rand.s3.n10";

    @TempDir
    private Path parent;
    private Path folder;
    private float[] truth;

    @BeforeEach void prepare() throws IOException {
        folder = Files.createDirectory(parent.resolve("reference"));
        truth = ((NamedStreams.Floats) NamedStreams.evaluate(STREAM)).values();
        write(truth);
    }

    private void write(float... values) throws IOException {
        new SafeTensorsWriter().add("x", Shape.of(values.length), values).write(folder.resolve("reference.safetensors"));
    }

    private static String check(String kind, String options, String expect) {
        return "{\"kind\": \"" + kind + "\"" + options + ", \"inputs\": {}, \"expect\": " + expect + "}";
    }

    private static String stream(String limit) {
        return check("torch-random", ", \"stream\": \"" + STREAM + "\"", "{\"values\": {\"tensor\": \"x\", " + limit + "}}");
    }

    private void checks(String... checks) throws IOException {
        Files.writeString(folder.resolve("checks.json"), "{\"format\": 1, \"checks\": [" + String.join(", ", checks) + "]}");
    }

    private List<Outcome> outcomes() throws IOException {
        List<Outcome> outcomes = new ArrayList<>();
        try (CpuBackend backend = new CpuBackend(CpuBackend.Options.defaults().withThreads(1))) {
            new Verifier(backend, outcomes::add).verify(folder);
        }
        return outcomes;
    }

    private Outcome only(String check) throws IOException {
        checks(check);
        List<Outcome> all = outcomes();
        assertEquals(1, all.size());
        return all.getFirst();
    }

    private void assertFails(String reason, String check) throws IOException {
        Outcome o = only(check);
        assertFalse(o.passed(), o.toString());
        assertEquals(reason, o.reason());
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"max_rel_l2\": 0", "\"max_abs\": 0", "\"exact\": true", "\"max_rel_l2\": 1e-9, \"max_abs\": 1e-9"})
    void passesWhatAgrees(String limit) throws IOException {
        Outcome o = only(stream(limit));
        assertTrue(o.passed(), o.toString());
        assertEquals(0, o.error());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"\"max_rel_l2\": 0|false", "\"exact\": true|false", "\"max_abs\": 0.009|false", "\"max_abs\": 0.011|true",
        "\"max_rel_l2\": 0.1|true", "\"max_rel_l2\": 0.1, \"max_abs\": 0.009|false"})
    void holdsADifferenceOfAHundredthAgainstTheLimit(String limit, boolean passes) throws IOException {
        float[] other = truth.clone();
        other[4] += 0.01f;
        write(other);
        assertEquals(passes, only(stream(limit)).passed());
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void failsOnAReferenceThatIsNoNumber(float value) throws IOException {
        float[] other = truth.clone();
        other[9] = value;
        write(other);
        for (String limit : List.of("\"max_rel_l2\": 1e30", "\"max_abs\": 1e30", "\"exact\": true")) {
            assertFails("x", stream(limit));
        }
    }

    @Test void failsOnAnotherNumberOfElements() throws IOException {
        write(1, 2, 3);
        assertFails("x: must be [3], got [10]", stream("\"max_rel_l2\": 1"));
    }

    @Test void failsByNameOnWhatIsMissingOrUnknown() throws IOException {
        String tensors = folder.resolve("reference.safetensors") + ": tensor 'y' is required, but there is none among its 1";
        assertFails(tensors, check("torch-random", ", \"stream\": \"" + STREAM + "\"", "{\"values\": {\"tensor\": \"y\", \"exact\": true}}"));
        assertFails("x: 'torch-random' gives no such result", check("torch-random", ", \"stream\": \"" + STREAM + "\"", "{\"mean\": {\"tensor\": \"x\", \"exact\": true}}"));
        assertFails("unknown kind 'astrology', not one of " + String.join(", ", Kinds.BY_NAME.keySet()), check("astrology", "", "{\"values\": {\"tensor\": \"x\", \"exact\": true}}"));
        assertFails("random streams: name must be one of rand, randn, randn_f64, randint, randperm, sequence, int_sequence, normal_sample, mt19937, "
                + "python.randint, python.choice with its seed and size, got 'dice'",
                check("torch-random", ", \"stream\": \"dice\"", "{\"values\": {\"tensor\": \"x\", \"exact\": true}}"));
        assertFails("reference/checks.json checks[0]: not supported: 'sides' 6",
                check("torch-random", ", \"sides\": 6, \"stream\": \"" + STREAM + "\"", "{\"values\": {\"tensor\": \"x\", \"exact\": true}}"));
        assertFails("resize: input 'in' is required, got []",
                check("resize", ", \"smaller_edge\": 4", "{\"out\": {\"tensor\": \"x\", \"exact\": true}}"));
        assertTrue(only(check("ddim-schedule", "", "{\"betas\": {\"tensor\": \"x\", \"exact\": true}}")).reason().contains("files must lie in the folder or beside it, got ''"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "\"max_rel_l2\": -1|'max_rel_l2' must be 0 or more, got -1.0",
        "\"max_rel_l2\": \"small\"|'max_rel_l2' must be a number, got \"small\"",
        "\"exact\": false|must name a 'tensor' and 'max_rel_l2', 'max_abs' or 'exact'",
        "\"max_cosine\": 1, \"exact\": true|not supported: 'max_cosine' 1"})
    void failsOnALimitThatIsNone(String limit, String reason) throws IOException {
        Outcome o = only(stream(limit));
        assertFalse(o.passed());
        assertTrue(o.reason().endsWith(reason), o.reason());
    }

    @Test void aCheckThatCannotBeComputedDoesNotStopTheOthers() throws IOException {
        checks(check("astrology", "", "{\"a\": {\"tensor\": \"x\", \"exact\": true}, \"b\": {\"tensor\": \"x\", \"exact\": true}}"), stream("\"exact\": true"));
        assertEquals(List.of(false, false, true), outcomes().stream().map(Outcome::passed).toList());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{\"format\": 2}|'format' must be 1, got 2",
        "{\"format\": 1}|'checks' must hold at least one check",
        "{\"format\": 1, \"checks\": [{\"kind\": \"unet\"}]}|a check must have a 'kind' and something to 'expect'",
        "{\"format\": 1, \"reference\": \"../../secret\", \"checks\": [{\"kind\": \"a\", \"expect\": {\"b\": {}}}]}|files must lie in the folder or beside it, got '../../secret'",
        "{\"format\": 1, \"reference\": \"/etc/passwd\", \"checks\": [{\"kind\": \"a\", \"expect\": {\"b\": {}}}]}|files must lie in the folder or beside it, got '/etc/passwd'",
        "{\"format\": 1, \"reference\": \"none\", \"checks\": [{\"kind\": \"a\", \"expect\": {\"b\": {}}}]}|a safetensors file is required, but there is none",
        "[]|must be a JSON object, got ARRAY"})
    void refusesAFolderOfAnotherForm(String json, String message) throws IOException {
        Files.writeString(folder.resolve("checks.json"), json);
        String got = assertThrows(ModelFormatException.class, this::outcomes).getMessage();
        assertTrue(got.endsWith(message), got);
    }

    @Test void refusesAFolderWithoutChecks() {
        assertEquals(folder + ": a folder of reference tensors with a checks.json is required, but there is none",
                assertThrows(ModelFormatException.class, this::outcomes).getMessage());
    }
}
