package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class EarlyStopTest {
    private static final OptionalDouble NONE = OptionalDouble.empty();

    private static List<RunDirectory.Evaluated> heldOut(double... rewards) {
        List<RunDirectory.Evaluated> all = new ArrayList<>();
        for (int i = 0; i < rewards.length; i++) {
            all.add(new RunDirectory.Evaluated(10 * i, RunDirectory.PromptKind.TRAINING, 4, i, Map.of()));
            all.add(new RunDirectory.Evaluated(10 * i, RunDirectory.PromptKind.HELD_OUT, 4, rewards[i], Map.of()));
        }
        return all;
    }

    @Test void stopsWhenTheBestIsLongAgo() {
        EarlyStop two = new EarlyStop(new Regularisers(0, 2, 0, NONE), true, false);
        assertEquals(Optional.empty(), two.reason(List.of(), NONE));
        assertEquals(Optional.empty(), two.reason(heldOut(1, 2, 1.5), NONE), "one grid without a new best");
        assertTrue(two.reason(heldOut(1, 2, 1.5, 2), NONE).orElseThrow().contains("2.0000 at its best"), "no higher than the best is no rise");
        assertEquals(Optional.empty(), two.reason(heldOut(1, 2, 1.5, 2.5), NONE));
        assertEquals(Optional.empty(), new EarlyStop(Regularisers.NONE, false, false).reason(heldOut(3, 2, 1, 0), NONE), "off");
    }

    @Test void stopsBelowTheFloorOfDiversity() {
        EarlyStop floor = new EarlyStop(new Regularisers(0, 0, 1, OptionalDouble.of(0.1)), false, true);
        assertEquals(Optional.empty(), floor.reason(List.of(), NONE));
        assertEquals(Optional.empty(), floor.reason(List.of(), OptionalDouble.of(0.1)));
        assertTrue(floor.reason(List.of(), OptionalDouble.of(0.09)).isPresent());
        assertTrue(floor.reason(List.of(), OptionalDouble.of(Double.NaN)).isPresent(), "images that are no images");
    }

    @Test void whatCannotBeMeasuredCannotStop() {
        assertEquals("--stop-patience: needs prompts that are never trained on, which --eval-prompts gives",
                assertThrows(SettingException.class, () -> new EarlyStop(new Regularisers(0, 2, 0, NONE), false, true)).getMessage());
        assertThrows(SettingException.class, () -> new EarlyStop(new Regularisers(0, 0, 1, OptionalDouble.of(0.1)), true, false));
        assertThrows(SettingException.class, () -> new Regularisers(0, 0, 0, OptionalDouble.of(0.1)));
    }
}
