package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class Mt19937Test {

    /// The C++ standard states this value for `std::mt19937` ([rand.predef]).
    @Test void tenThousandthWordOfTheDefaultSeedIsTheStandards() {
        Mt19937 generator = Mt19937.seeded(5489);
        for (int i = 1; i < 10_000; i++) {
            generator.next();
        }
        assertEquals(4123659995L, Integer.toUnsignedLong(generator.next()));
    }

    /// The first line of the output that the authors publish beside their code.
    @Test void arraySeedGivesTheAuthorsWords() {
        Mt19937 generator = Mt19937.seeded(new int[] {0x123, 0x234, 0x345, 0x456});
        long[] words = new long[5];
        for (int i = 0; i < words.length; i++) {
            words[i] = Integer.toUnsignedLong(generator.next());
        }
        assertArrayEquals(new long[] {1067595299, 955945823, 477289528, 4107218783L, 4228976476L}, words);
    }

    @Test void bulkUniformsEqualSingleWords() {
        Mt19937 bulk = Mt19937.seeded(7);
        Mt19937 single = Mt19937.seeded(7);
        for (int size : new int[] {1, 7, 13, 64, 207, 624, 2000}) {
            float[] filled = new float[size + 2];
            bulk.fillUniform(filled, 1, size + 1);
            assertEquals(0f, filled[0]);
            assertEquals(0f, filled[size + 1]);
            for (int i = 0; i < size; i++) {
                assertEquals((single.next() & 0xffffff) / 16777216f, filled[i + 1]);
            }
        }
    }
}
