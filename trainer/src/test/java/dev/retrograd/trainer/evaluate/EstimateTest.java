package dev.retrograd.trainer.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class EstimateTest {

    @Test void meanAndStandardErrorAreThoseOfTheSample() {
        Estimate e = Estimate.of(1, 2, 3, 6);
        assertEquals(3, e.mean(), 1e-12);
        assertEquals(Math.sqrt(14.0 / 3 / 4), e.standardError(), 1e-12);
        assertEquals("3.0 ± 1.1", e.toString());
        assertEquals("0.0001235 ± 0.0000012", new Estimate(3, 0.0001235, 0.0000012).toString());
        assertEquals("12000 ± 150", new Estimate(3, 12000.4, 150).toString());
        assertEquals("7.500", Estimate.of(7.5f).toString());
        assertTrue(Double.isNaN(Estimate.of(7.5f).standardError()));
        assertEquals("2.000 ± 0.0", Estimate.of(2, 2).toString());
    }

    @Test void pairsVaryLessThanTheirParts() {
        Estimate change = Estimate.ofDifference(new float[] {2, 11, 22}, new float[] {1, 10, 20});
        assertEquals(4 / 3.0, change.mean(), 1e-6);
        assertEquals(1 / 3.0, change.standardError(), 1e-6);
        assertThrows(IllegalArgumentException.class, () -> Estimate.ofDifference(new float[2], new float[3]));
        assertThrows(IllegalArgumentException.class, Estimate::of);
    }

    @Test void diversityIsTheMeanDistanceOfPairsWithinAPrompt() {
        float[] features = {1, 0, 1, 0, 0, 1, /* the same thrice */ 0, 1, 0, 1, 0, 1};
        assertArrayEquals(new float[] {2 / 3f, 0}, Diversity.perPrompt(features, 2, 3), 1e-6f);
        assertEquals("diversity: each prompt must have 2 images or more, got 6 images by 4", assertThrows(IllegalArgumentException.class, () -> Diversity.perPrompt(features, 2, 4)).getMessage());
        assertThrows(IllegalArgumentException.class, () -> Diversity.perPrompt(features, 2, 1));
    }

    @Test void aPartOfALongListIsSpreadOverIt() {
        PromptSet all = new PromptSet("train", List.of("a", "b", "c", "d", "e"));
        assertEquals(List.of("a", "c"), all.atMost(2).prompts());
        assertEquals(all, all.atMost(9));
        assertThrows(IllegalArgumentException.class, () -> new PromptSet("train", List.of()));
    }
}
