package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.RandomStream;
import dev.retrograd.rewards.PixelBatch;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PictureRatingTest {

    private static double rating(float... pixels) {
        return new PictureRating().score(new PixelBatch(pixels, 1, 64, 64), List.of(""))[0];
    }

    private static Scene scene(Figure figure, Paint paint, Extent extent, Place place, Backdrop backdrop) {
        return new Scene(new SceneObject(figure, paint, extent, Texture.PLAIN, place), Optional.empty(), backdrop);
    }

    private static double rating(Scene scene) {
        return rating(AestheticStage.pixels(List.of(Painter.draw(scene, new RandomStream(3)))).pixels());
    }

    private static Scene usual(Place place) {
        return scene(Figure.CIRCLE, Paint.RED, Extent.LARGE, place, new Backdrop(Shade.WHITE, false));
    }

    private static float[] flat(float value) {
        float[] pixels = new float[64 * 64 * 3];
        Arrays.fill(pixels, value);
        return pixels;
    }

    @Test void anEmptyPictureHasACleanBackgroundAtMost() {
        assertEquals(2.5, rating(flat(0.5f)), 1e-6);
    }

    /// A centred red square of 32×32 on black: 2.5·(centred + 1 + 1 + 1), where a square's pixels lie at 0.1913 of the side and a disk's of its area at 0.1881.
    @Test void isAsComputedByHand() {
        float[] pixels = flat(0);
        for (int y = 16; y < 48; y++) {
            for (int x = 16; x < 48; x++) {
                pixels[(y * 64 + x) * 3] = 1;
            }
        }
        assertEquals(2.5 * (1 - (0.1913 - 0.1881) / 0.125 + 3), rating(pixels), 2e-3);
    }

    @Test void pixelsThatStrayDirtyTheBackground() {
        float[] pixels = flat(0.5f);
        for (int i = 0; i < pixels.length; i++) {
            // Rows of the corners stay as they are.
            boolean inside = i > 64 * 3 * 4 && i < pixels.length - 64 * 3 * 4 && i / 3 % 64 > 3 && i / 3 % 64 < 60;
            pixels[i] += inside && i / 3 % 2 == 0 ? 0.05f : 0;
        }
        assertEquals(2.5 * (1 - 56 * 56 / 2.0 / (64 * 64)), rating(pixels), 0.03);
    }

    @Test void everyPartOfTheRuleCounts() {
        double best = rating(usual(Place.CENTER));
        assertTrue(best > 9, "best " + best);
        assertTrue(rating(usual(Place.LEFT)) < best - 1, "centred");
        assertTrue(rating(scene(Figure.CIRCLE, Paint.RED, Extent.SMALL, Place.CENTER, new Backdrop(Shade.WHITE, false))) < best - 0.7, "large");
        assertTrue(rating(scene(Figure.CIRCLE, Paint.PINK, Extent.LARGE, Place.CENTER, new Backdrop(Shade.WHITE, false))) < best - 0.5, "saturated");
        assertTrue(rating(scene(Figure.CIRCLE, Paint.RED, Extent.LARGE, Place.CENTER, new Backdrop(Shade.WHITE, true))) < best - 2, "clean background");
    }

    @Test void theRatingIsItsPartsTimesTwoAndAHalf() {
        PixelBatch pictures = AestheticStage.pixels(Examples.draw(Recipe.rehearsal(1, 2), StageKey.SAMPLES, 0, 20).pictures());
        List<String> prompts = Collections.nCopies(20, "");
        float[] rating = new PictureRating().score(pictures, prompts);
        double[] sum = new double[20];
        for (PictureRating.Part part : List.of(PictureRating.Part.CENTRED, PictureRating.Part.LARGE, PictureRating.Part.SATURATED, PictureRating.Part.CLEAN)) {
            float[] scores = new PictureRating(part).score(pictures, prompts);
            for (int i = 0; i < sum.length; i++) {
                assertTrue(scores[i] >= 0 && scores[i] <= 1, part + " " + scores[i]);
                sum[i] += 2.5 * scores[i];
            }
        }
        for (int i = 0; i < sum.length; i++) {
            assertEquals(sum[i], rating[i], 1e-5, "picture " + i);
        }
    }

    @Test void placesAreAlike() {
        double left = rating(usual(Place.LEFT));
        for (Place place : List.of(Place.RIGHT, Place.TOP, Place.BOTTOM)) {
            assertEquals(left, rating(usual(place)), 1.5, place.name());
        }
    }

    @Test void liesBetweenZeroAndTen() {
        for (int i = 0; i < 200; i++) {
            RandomStream random = new RandomStream(i);
            double r = rating(AestheticStage.pixels(List.of(Painter.draw(World.draw(random, World.Part.TRAINING), random))).pixels());
            assertTrue(r >= 0 && r <= 10, "picture " + i + " rates " + r);
        }
    }
}
