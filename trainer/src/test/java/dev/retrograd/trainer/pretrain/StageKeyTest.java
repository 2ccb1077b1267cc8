package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StageKeyTest {

    @Test void noTwoUsesShareAStream() {
        StageKey[] keys = StageKey.values();
        long distinct = IntStream.concat(Arrays.stream(keys).mapToInt(StageKey::code), Arrays.stream(keys).mapToInt(StageKey::noise)).distinct().count();
        assertEquals(2L * keys.length, distinct);
    }
}
