package dev.retrograd.trainer.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.trainer.evaluate.Estimate;
import dev.retrograd.trainer.image.RgbImage;
import org.junit.jupiter.api.Test;

class ClaimTest {
    private static Claim.Verdict of(float... differences) {
        return new Claim("one > other", Estimate.of(differences)).verdict();
    }

    @Test void numbersDecide() {
        assertEquals(Claim.Verdict.HOLDS, of(1, 1.1f, 0.9f, 1));
        assertEquals(Claim.Verdict.FAILS, of(-1, -1.1f, -0.9f, -1));
        assertEquals(Claim.Verdict.UNCLEAR, of(1, -1, 0.5f, -0.4f));
        assertEquals(Claim.Verdict.UNCLEAR, of(Float.NaN, 1));
    }

    @Test void aSingleNumberHasNoError() {
        assertEquals(Claim.Verdict.HOLDS, Claim.positive("saved", 3).verdict());
        assertEquals(Claim.Verdict.FAILS, Claim.positive("saved", -3).verdict());
        assertEquals(Claim.Verdict.FAILS, Claim.positive("saved", 0).verdict());
    }

    private static RgbImage image(int... greys) {
        byte[] rgb = new byte[16 * 16 * 3];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) greys[i / 3 % greys.length];
        }
        return new RgbImage(16, 16, rgb);
    }

    @Test void evenChangesAreLayoutAndStripesAreDetail() {
        Layout even = Layout.difference(image(102), image(51));
        assertEquals(0.2, even.layout(), 1e-9);
        assertEquals(-0.2, even.detailOverLayout(), 1e-9);
        Layout stripes = Layout.difference(image(102, 0), image(51));
        assertEquals(0.2, stripes.detail(), 1e-9);
        assertEquals(0.2, stripes.detailOverLayout(), 1e-9);
        assertEquals(0, Layout.difference(image(7), image(7)).detailOverLayout());
    }
}
