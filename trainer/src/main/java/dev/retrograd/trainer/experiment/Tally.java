package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.report.Table;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.SequencedSet;

/// How often a model won against each of its rivals, by question.
///
/// @param votes one for each voter, pair and question: of several, the last
public record Tally(List<Vote> votes) {
    /// 95 in 100, two-sided.
    private static final double Z = 1.959963984540054;

    private record Key(String voter, String pair, String question) {
    }

    public Tally {
        SequencedMap<Key, Vote> latest = new LinkedHashMap<>();
        votes.forEach(v -> latest.put(new Key(v.voter(), v.pair(), v.question()), v));
        votes = List.copyOf(latest.values());
    }

    /// A share with the bounds of its confidence interval.
    ///
    /// @param share wins / votes
    public record Rate(int wins, int votes, double share, double low, double high) {
    }

    /// Wilson's score interval at 95 %: of 0 or all wins, too, it lies within 0..1 and is not a point. Source: E. B. Wilson, JASA 22 (1927).
    ///
    /// @throws IllegalArgumentException unless there is a vote, and as many wins at most
    public static Rate rate(int wins, int votes) {
        if (votes < 1 || wins < 0 || wins > votes) {
            throw new IllegalArgumentException("win rate: wins must be 0..votes of at least one vote, got " + wins + " of " + votes);
        }
        double p = (double) wins / votes;
        double z2 = Z * Z / votes;
        double centre = (p + z2 / 2) / (1 + z2);
        double half = Z * Math.sqrt(p * (1 - p) / votes + z2 / (4 * votes)) / (1 + z2);
        return new Rate(wins, votes, p, Math.max(0, centre - half), Math.min(1, centre + half));
    }

    private record Match(String question, String model, String rival) {
    }

    /// A row for each question and rival. The model that the rates are of is the one that most votes are about: on the page, AlignProp.
    public Table table() {
        String model = most();
        SequencedMap<Match, int[]> counts = new LinkedHashMap<>();
        for (Vote v : votes) {
            boolean won = v.winner().equals(model) || !v.loser().equals(model);
            Match match = won ? new Match(v.question(), v.winner(), v.loser()) : new Match(v.question(), v.loser(), v.winner());
            int[] count = counts.computeIfAbsent(match, _ -> new int[2]);
            count[0] += won ? 1 : 0;
            count[1]++;
        }
        List<List<String>> rows = new ArrayList<>();
        counts.forEach((match, count) -> {
            Rate rate = rate(count[0], count[1]);
            rows.add(List.of(match.question, match.model, match.rival, Integer.toString(count[0]), Integer.toString(count[1]), percent(rate.share), percent(rate.low) + " .. " + percent(rate.high)));
        });
        return new Table(List.of("question", "model", "against", "wins", "votes", "win rate %", "95 % interval"), rows);
    }

    /// How many people voted.
    public int voters() {
        return (int) votes.stream().map(Vote::voter).distinct().count();
    }

    private String most() {
        SequencedSet<String> models = new LinkedHashSet<>();
        votes.forEach(v -> {
            models.add(v.winner());
            models.add(v.loser());
        });
        String most = "";
        long greatest = -1;
        for (String m : models) {
            long count = votes.stream().filter(v -> v.winner().equals(m) || v.loser().equals(m)).count();
            boolean alphabetical = count == greatest && m.compareTo(most) < 0;
            most = count > greatest || alphabetical ? m : most;
            greatest = Math.max(greatest, count);
        }
        return most;
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f", 100 * share);
    }
}
