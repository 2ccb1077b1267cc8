package dev.retrograd.trainer.fit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class AgreementTest {

    @Test void perfectEstimatesScoreOne() {
        Agreement a = Agreement.of(new float[] {3, 1, 2}, 3, 1, 2);
        assertEquals(1, a.r2());
        assertEquals(1, a.spearman());
        assertEquals("R² 1.0000, Spearman 1.0000 on 3 images", a.toString());
    }

    @Test void theMeanScoresZeroAndMonotoneEstimatesKeepTheirRanks() {
        assertEquals(0, Agreement.of(new float[] {1, 2, 3}, 2, 2, 2).r2(), 1e-12);
        assertTrue(Double.isNaN(Agreement.of(new float[] {1, 2, 3}, 2, 2, 2).spearman()));
        assertEquals(1, Agreement.of(new float[] {1, 2, 3}, 1, 10, 1000).spearman(), 1e-12);
        assertEquals(-1, Agreement.of(new float[] {1, 2, 3}, 3, 2, -9).spearman(), 1e-12);
    }

    /// By hand: ranks 1, 2.5, 2.5, 4 against 2, 1, 3, 4; Σ of products 3, of squares 4.5 and 5.
    @Test void tiesShareTheirMeanRank() {
        assertEquals(3 / Math.sqrt(4.5 * 5), Agreement.of(new float[] {0, 7, 7, 9}, 2, 1, 3, 4).spearman(), 1e-12);
    }

    /// By hand: mean 2, Σ(score − mean)² = 2, Σ(score − estimate)² = 1 + 0 + 4.
    @Test void r2IsNegativeBelowTheMean() {
        assertEquals(1 - 5 / 2.0, Agreement.of(new float[] {1, 2, 3}, 2, 2, 1).r2(), 1e-12);
    }

    @Test void equalScoresHaveNoR2() {
        assertTrue(Double.isNaN(Agreement.of(new float[] {1, 1}, 1, 2).r2()));
    }

    @Test void refusesPairsThatAreNone() {
        assertEquals("agreement: two scores or more and as many estimates are required, got 2 and 1",
                assertThrows(IllegalArgumentException.class, () -> Agreement.of(new float[2], 1)).getMessage());
    }
}
