package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.GraphUse;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.util.Collections;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class GraphShelfTest {
    private static final int HALF = (int) GraphUse.MOST_LAUNCHES / 2;
    private final EmulatedDriver driver = new EmulatedDriver(1 << 20);
    private final CudaDriver.Stream stream = driver.createStream();
    private final GraphShelf shelf = new GraphShelf(driver);

    private Stretch stretch(int launches) {
        CudaDriver.Kernel kernel = () -> "kernel";
        return new Stretch(Collections.nCopies(launches, new Launch.Asked(kernel, LaunchGrid.of(1, 32), 0, new LaunchArguments(), stream).keep()));
    }

    /// A stretch with a graph on the shelf.
    private Stretch shelved(int launches, long used) {
        Stretch s = stretch(launches);
        driver.beginCapture(stream);
        s.graph(driver.endCapture(stream));
        s.used(used);
        shelf.add(s, 100);
        return s;
    }

    @Test void whatWasIdleForLongMakesRoom() {
        Stretch first = shelved(HALF, 1);
        Stretch second = shelved(HALF, 2);
        assertFalse(shelf.admits(stretch(10), 1), "nobody is stale");
        shelf.used(first);
        first.used(3);
        assertTrue(shelf.admits(stretch(10), 3), "the second was used before 3");
        assertEquals(Optional.empty(), second.graph());
        assertTrue(first.graph().isPresent());
        assertEquals(new GraphUse(1, HALF, 100), shelf.use());
        shelf.remove(first);
        assertEquals(GraphUse.NONE, shelf.use());
        assertEquals(0, driver.allocations(), "graphs that were not freed");
    }

    @Test void roomForFewIsNotMadeWhereNoneIsNeeded() {
        Stretch first = shelved(HALF, 1);
        assertTrue(shelf.admits(stretch(HALF), Long.MAX_VALUE));
        assertTrue(first.graph().isPresent());
    }
}
