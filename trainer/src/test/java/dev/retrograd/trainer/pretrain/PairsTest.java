package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class PairsTest {
    private static final Recipe RECIPE = Recipe.rehearsal(1, 2);

    @Test void theRatingRanksWhatTheCaptionDoesNotTellApart() {
        Pairs pairs = Pairs.draw(RECIPE, 0, 60, World.Part.TRAINING);
        int rated = 0;
        for (int i = 0; i < 60; i++) {
            float[] ratings = new PictureRating().score(AestheticStage.pixels(List.of(pairs.better().get(i), pairs.worse().get(i))), List.of("", ""));
            if (!pairs.matches().get(i)) {
                rated++;
                assertTrue(ratings[0] >= ratings[1], "pair " + i);
                for (String open : List.of("small", "large", "background", "center")) {
                    assertFalse(pairs.captions().get(i).contains(open), pairs.captions().get(i));
                }
            }
        }
        assertTrue(rated > 15 && rated < 45, rated + " of 60");
    }

    @Test void theWorsePictureDiffers() {
        Pairs pairs = Pairs.draw(RECIPE, 1, 30, World.Part.HELD_OUT);
        for (int i = 0; i < 30; i++) {
            assertFalse(Arrays.equals(pairs.better().get(i), pairs.worse().get(i)), "pair " + i);
        }
    }

    @Test void areAFunctionOfTheSeedTheStepAndThePlace() {
        Pairs one = Pairs.draw(RECIPE, 5, 4, World.Part.TRAINING);
        Pairs again = Pairs.draw(RECIPE, 5, 6, World.Part.TRAINING);
        assertEquals(one.captions(), again.captions().subList(0, 4));
        assertArrayEquals(one.better().get(3), again.better().get(3));
        assertFalse(one.captions().equals(Pairs.draw(RECIPE, 6, 4, World.Part.TRAINING).captions()));
    }

    @Test void comeInTurn() {
        Pairs pairs = Pairs.draw(RECIPE, 0, 2, World.Part.TRAINING);
        List<float[]> all = pairs.inTurn();
        assertSame(pairs.better().get(1), all.get(2));
        assertSame(pairs.worse().get(1), all.get(3));
    }
}
