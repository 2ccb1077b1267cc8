package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.trainer.experiment.ExperimentKind;
import dev.retrograd.unet.LoraFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `experiment` as a user calls it, on the smallest model.
class ExperimentTest {
    @TempDir private Path folder;

    private CommandLineRun run(String name, String... args) {
        List<String> all = new ArrayList<>(List.of("experiment", name, "--quick", "--model=" + Golden.path("ci-sd/model"), "--steps=2", "--height=16", "--width=16", "--prompt=a cat", "--prompt=a dog",
                "--updates=1", "--batch-size=1", "--images-per-prompt=2", "--reward=compressibility", "--cache=" + folder.resolve("cache"), "--output=" + folder.resolve(name)));
        all.addAll(List.of(args));
        return CommandLineRun.of(all.toArray(String[]::new));
    }

    private static long count(String text, String part) {
        return text.lines().filter(l -> l.contains(part)).count();
    }

    private List<Path> cached() throws IOException {
        try (Stream<Path> runs = Files.list(folder.resolve("cache"))) {
            return runs.sorted().toList();
        }
    }

    @Test void experimentsShareRunsAndGiveTheSameNumbersAgain() throws IOException {
        CommandLineRun first = run("table1");
        first.succeeds();
        assertEquals(3, count(first.out(), ": training in "));
        String page = Files.readString(folder.resolve("table1/results.md"));
        assertTrue(page.contains("Command: retrograd experiment table1 --quick") && page.contains(" '--prompt=a cat' "), page);
        assertFalse(page.contains(folder.toString()), "where results lie is no part of them: " + page);
        assertEquals(3, count(page, " > "), page);
        String html = Files.readString(folder.resolve("table1/report.html"));
        assertTrue(html.contains("<svg") && !html.contains("src=\"http"), "one file that loads nothing");
        byte[] numbers = Files.readAllBytes(folder.resolve("table1/results.csv"));
        CommandLineRun again = run("table1");
        again.succeeds();
        assertEquals(3, count(again.out(), ": trained already, in "));
        assertArrayEquals(numbers, Files.readAllBytes(folder.resolve("table1/results.csv")));
        assertEquals(3, cached().size());
        Path alignprop = cached().getFirst();
        assertTrue(alignprop.getFileName().toString().startsWith("alignprop-"), alignprop.toString());
        Files.delete(alignprop.resolve("lora").resolve(LoraFile.NAME));
        CommandLineRun figure = run("figure4");
        figure.succeeds();
        assertEquals(1, count(figure.out(), "AlignProp: going on in "), figure.out());
        assertEquals(1, count(figure.out(), "DDPO: trained already, in "), figure.out());
        run("table1", "--seed=1").succeeds();
        assertEquals(6, cached().size(), "another seed, other runs");
    }

    @Test void aLoraIsWornAtSomeStepsOnly() throws IOException {
        run("figure3").succeeds();
        List<String[]> rows = Files.readAllLines(folder.resolve("figure3/results.csv")).stream().skip(1).map(l -> l.split(",")).toList();
        assertEquals(List.of("base", "all steps", "off early", "off middle", "off late", "early only", "late only"), rows.stream().map(r -> r[0]).toList());
        double[] layout = rows.stream().mapToDouble(r -> Double.parseDouble(r[3].split(" ")[0])).toArray();
        assertEquals(0, layout[0]);
        assertTrue(layout[1] > 0, Arrays.toString(layout));
        assertEquals(layout[2], layout[6], 1e-9, "of two steps, off early is late only");
        assertEquals(layout[4], layout[5], 1e-9, "and off late is early only");
    }

    @Test void peopleVoteOnAPageAndVotesAreCounted() throws IOException {
        run("table2").succeeds();
        String page = Files.readString(folder.resolve("table2/vote.html"));
        String shown = page.substring(0, page.indexOf("<script"));
        for (String model : List.of("AlignProp", "DDPO", "ReFL")) {
            assertFalse(shown.contains(model), "what people see names no model");
        }
        assertEquals(3 * 2 * 2 * 2, page.split("data:image/png", -1).length - 1, "3 rivals, 2 prompts, 2 sides, 2 images");
        Path json = Files.writeString(folder.resolve("a.json"), """
                [{"voter": "a", "pair": "pair 0", "question": "fidelity", "winner": "AlignProp", "loser": "base"},
                 {"voter": "a", "pair": "pair 1", "question": "fidelity", "winner": "AlignProp", "loser": "base"},
                 {"voter": "a", "pair": "pair 1", "question": "fidelity", "winner": "base", "loser": "AlignProp"}]
                """);
        Path csv = Files.writeString(folder.resolve("b.csv"), "voter,pair,question,winner,loser\n\"b, the second\",pair 0,fidelity,AlignProp,base\n");
        CommandLineRun tally = CommandLineRun.of("experiment", "tally", json.toString(), csv.toString());
        tally.succeeds();
        assertTrue(tally.out().contains("3 votes of 2 people") && tally.out().matches("(?s).*fidelity +AlignProp +base +2 +3 +66\\.7 +20\\.8 \\.\\. 93\\.9.*"), tally.out());
        CommandLineRun.of("experiment", "tally", folder.toString()).failsWith(ExitCode.FAILED, folder + ": a file of votes is required, got a folder");
        CommandLineRun.of("experiment", "tally").failsWith(ExitCode.USAGE, "experiment tally: must be followed by files of votes, got none");
        CommandLineRun.of("experiment", "tally", Files.writeString(folder.resolve("c.csv"), "x,y\n").toString()).failsWith(ExitCode.FAILED, "c.csv: votes as a JSON list, or as CSV with the heading voter,pair,question,winner,loser are required, got 'x,y'");
        CommandLineRun.of("experiment", "tally", Files.writeString(folder.resolve("d.json"), "[{\"voter\": 3}]").toString()).failsWith(ExitCode.FAILED, "d.json: every vote must have the text 'voter'");
    }

    @Test void mixesAndVariantsRun() throws IOException {
        run("figure6", "--second-reward=incompressibility").succeeds();
        assertTrue(Files.size(folder.resolve("figure6/grid-train.png")) > 0);
        run("table3").succeeds();
        assertTrue(Files.readString(folder.resolve("table3/results.csv")).contains("no LoRA,train,compressibility"));
    }

    @Test void listNamesThemAllAndOthersAreRefused() {
        CommandLineRun list = CommandLineRun.of("experiment", "list");
        list.succeeds();
        for (ExperimentKind kind : ExperimentKind.values()) {
            assertTrue(list.out().contains(kind.id()) && list.out().contains(kind.description()), kind.id());
        }
        CommandLineRun.of("experiment", "table9").failsWith(ExitCode.USAGE, "experiment: must be one of table1, ", "got table9");
        run("figure6", "--second-reward=compressibility").failsWith(ExitCode.USAGE, "--second-reward: must be another one than --reward, got compressibility");
        run("table1", "--max-prompts=0").failsWith(ExitCode.USAGE, "--max-prompts: must be 1 or more, got 0");
        assertFalse(Files.exists(folder.resolve("cache")), "nothing was trained for what cannot be measured");
        run("table1", "--reward=unheard-of").failsWith(ExitCode.USAGE, "--reward: must be one of ", "unheard-of");
        assertFalse(Files.exists(folder.resolve("table1")), "nothing is left behind");
    }
}
