package dev.retrograd.trainer.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.trainer.image.RgbImage;
import dev.retrograd.trainer.report.Browser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlindPageTest {
    private static final int PAIRS = 20;
    /// Votes for the darker images, which are ours, on the first question and for the left ones on the second, skips the last pair, and saves.
    private static final String VOTER = """
            <pre id="saved"></pre><script>
            window.Blob = function (parts) { byId("saved").textContent = parts[0]; };
            URL.createObjectURL = () => "#";
            byId("begin").click();
            const unnamed = !byId("start").hidden;
            byId("voter").value = "a, the first";
            byId("begin").click();
            for (let i = 0; i + 1 < pairs.length; i++) {
              const ours = pairs[at].left.key === "ours" ? "left" : "right";
              document.querySelector(`fieldset[data-question=fidelity] button[data-side=${ours}]`).click();
              document.querySelector("fieldset[data-question=alignment] button[data-side=left]").click();
              byId("next").click();
            }
            byId("KIND").click();
            byId("start").dataset.unnamed = unnamed;
            </script></body>""";

    @TempDir private Path folder;

    private static String page() throws IOException {
        List<BlindPage.Pair> pairs = new ArrayList<>();
        for (int i = 0; i < PAIRS; i++) {
            byte[] white = new byte[12];
            Arrays.fill(white, (byte) 255);
            pairs.add(new BlindPage.Pair("pair " + i, "</script> & \"" + i + "\"", "ours", List.of(new RgbImage(2, 2, new byte[12])), "rival", List.of(new RgbImage(2, 2, white))));
        }
        return new BlindPage(pairs, 0).html();
    }

    @Test void sidesAreDrawnByLot() throws IOException {
        String page = page();
        int left = page.split("\"left\":\\{\"key\":\"ours\"", -1).length - 1;
        assertTrue(left > 3 && left < PAIRS - 3, left + " of " + PAIRS);
        assertEquals(page, page(), "one seed, one page");
        assertFalse(page.contains("</script> &"), "a prompt ends no script");
    }

    @Test void aPersonVotesInABrowserAndTheVotesAreCounted() throws IOException, InterruptedException {
        Optional<Browser> browser = Browser.installed();
        assumeTrue(browser.isPresent(), "no browser is installed");
        for (String kind : List.of("json", "csv")) {
            Path file = Files.writeString(folder.resolve(kind + ".html"), page().replace("</body>", VOTER.replace("KIND", kind)));
            String dom = browser.get().rendered(file, 900, folder);
            assertTrue(dom.contains("data-unnamed=\"true\""), "who does not say who votes does not begin");
            assertTrue(dom.contains("20 of 20") && dom.contains("<span id=\"done\">38</span>"), dom.substring(Math.max(0, dom.length() - 3000)));
            String saved = dom.substring(dom.indexOf("<pre id=\"saved\">") + 16, dom.indexOf("</pre>")).replace("&amp;", "&");
            Tally tally = new Tally(Vote.read(Files.writeString(folder.resolve("votes." + kind), saved)));
            assertEquals(38, tally.votes().size());
            assertEquals(1, tally.voters());
            assertEquals("a, the first", tally.votes().getFirst().voter());
            List<List<String>> rows = tally.table().rows();
            assertEquals(List.of("fidelity", "ours", "rival", "19", "19", "100.0", "83.2 .. 100.0"), rows.getFirst());
            assertEquals("19", rows.getLast().get(4));
        }
    }
}
