package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class GraphUseTest {
    private static final long ALL = GraphUse.MOST_LAUNCHES;

    @Test void aPlanSetsAsideForAllLaunchesOrForAsManyAsThereMayBe() {
        assertEquals(100 * GraphUse.ASSUMED_BYTES_PER_LAUNCH, GraphUse.planned(100));
        assertEquals(ALL * GraphUse.ASSUMED_BYTES_PER_LAUNCH, GraphUse.planned(10 * ALL));
    }

    @Test void graphsAreCounted() {
        GraphUse two = GraphUse.NONE.plus(10, 1000).plus(20, 3000);
        assertEquals(new GraphUse(2, 30, 4000), two);
        assertEquals(new GraphUse(1, 20, 3000), two.minus(10, 1000));
    }

    @Test void theirNumberIsBounded() {
        GraphUse some = GraphUse.NONE.plus(ALL - 10, 0);
        assertTrue(some.admits(10));
        assertFalse(some.admits(11));
        assertFalse(GraphUse.NONE.admits(ALL + 1));
    }

    @Test void soIsTheirMemoryWhereLaunchesTakeMoreThanIsAssumed() {
        GraphUse heavy = GraphUse.NONE.plus(100, 200 * GraphUse.ASSUMED_BYTES_PER_LAUNCH);
        assertTrue(heavy.admits(ALL / 2 - 100));
        assertFalse(heavy.admits(ALL / 2 - 99));
    }
}
