package dev.retrograd.trainer.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class TallyTest {
    private static Vote vote(String voter, String pair, String winner, String loser) {
        return new Vote(voter, pair, "alignment", winner, loser);
    }

    /// As R's `prop.test(15, 20, correct = FALSE)` and `prop.test(0, 10, correct = FALSE)` have them.
    @Test void intervalsAreWilsons() {
        Tally.Rate rate = Tally.rate(15, 20);
        assertEquals(0.75, rate.share(), 1e-12);
        assertEquals(0.5312990, rate.low(), 1e-6);
        assertEquals(0.8881383, rate.high(), 1e-6);
        Tally.Rate none = Tally.rate(0, 10);
        assertEquals(0, none.low(), 1e-12);
        assertEquals(0.2775328, none.high(), 1e-6);
        assertEquals(1 - none.high(), Tally.rate(10, 10).low(), 1e-12);
    }

    @Test void aRateTakesAVote() {
        assertEquals("win rate: wins must be 0..votes of at least one vote, got 0 of 0", assertThrows(IllegalArgumentException.class, () -> Tally.rate(0, 0)).getMessage());
        assertThrows(IllegalArgumentException.class, () -> Tally.rate(2, 1));
    }

    @Test void thePagesModelIsCountedAgainstEachRival() {
        List<List<String>> rows = new Tally(List.of(vote("a", "1", "ours", "x"), vote("b", "1", "x", "ours"), vote("a", "2", "ours", "y"))).table().rows();
        assertEquals(2, rows.size());
        assertEquals(List.of("alignment", "ours", "x", "1", "2", "50.0"), rows.getFirst().subList(0, 6));
        assertEquals(List.of("alignment", "ours", "y", "1", "1", "100.0"), rows.getLast().subList(0, 6));
    }

    @Test void whoVotesAgainCorrectsAVote() {
        Tally tally = new Tally(List.of(vote("a", "1", "ours", "x"), vote("a", "1", "x", "ours"), vote("b", "1", "ours", "x")));
        assertEquals(2, tally.votes().size());
        assertEquals(2, tally.voters());
        assertTrue(tally.table().text().contains("50.0"), tally.table().text());
    }
}
