package dev.retrograd.trainer.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HtmlReportTest {
    private static final String UPDATE = """
            {"update":%d,"k":%d,"loss":%s,"reward_mean":%s,"reward_std":0.5,"grad_norm":0.1,"learning_rate":0.001,"seconds":1.5,"peak_bytes":1048576,"jpeg-size":2.5}
            """;

    @TempDir private Path temp;
    private Path run;

    @BeforeEach void makeRun() throws IOException {
        run = Files.createDirectories(temp.resolve("a run"));
        Files.writeString(run.resolve("config.json"), "{\"method\": \"alignprop\", \"prompt\": [\"</script><script>document.title='owned'</script>\"], \"updates\": 3}");
        Files.writeString(run.resolve("metrics.jsonl"), UPDATE.formatted(1, 3, "2.0", "-2.0") + UPDATE.formatted(2, 3, "1.0", "-1.0") + "{\"update\":3,\"k\"");
        Files.writeString(run.resolve("evaluations.jsonl"), "{\"update\":0,\"prompts\":\"held-out\",\"images\":4,\"reward_mean\":-2.0}\n");
        Path samples = Files.createDirectories(run.resolve("samples"));
        RgbImage picture = new RgbImage(2, 2, new byte[12]);
        PngFile.write(samples.resolve("update-000000.png"), picture, Map.of());
        PngFile.write(samples.resolve("update-000002.png"), picture, Map.of());
    }

    @Test void isOnePageThatLoadsNothing() throws IOException {
        String page = Files.readString(HtmlReport.write(run));
        for (String loading : List.of("<link rel=\"stylesheet\"", "<script src", "@import", "url(")) {
            assertFalse(page.contains(loading), loading);
        }
        assertFalse(page.contains("</script><script>document.title"), "settings must not become markup");
        assertTrue(page.contains("data:image/png;base64,"));
    }

    @Test void aLorasCardHasTheFrontMatterThatHubsRead() throws IOException {
        String card = Files.readString(ModelCard.write(run, temp, "the \"base\""));
        assertTrue(card.startsWith("---\nbase_model: \"the \\\"base\\\"\"\nlibrary_name: diffusers\n"), card);
        assertTrue(card.contains("first update: -2.0000; of update 2: -1.0000."), card);
        assertTrue(card.contains("| updates | 3 |"), card);
    }

    @Test void halfALineIsNoUpdate() throws IOException {
        assertEquals(2, RunSummary.read(run).get("metrics").size());
        assertEquals(2, RunSummary.read(run).get("samples").size());
    }

    @Test void aFolderWithoutARunIsNamed() {
        assertEquals(temp + ": the folder of a run with a config.json is required, got none", assertThrows(ModelFormatException.class, () -> HtmlReport.write(temp)).getMessage());
    }

    @Test void isServedWhileTheRunGoesOn() throws IOException, InterruptedException {
        try (ReportServer server = ReportServer.start(run, 0); HttpClient client = HttpClient.newHttpClient()) {
            assertTrue(server.address().getHost().equals("127.0.0.1"), server.address().toString());
            HttpResponse<String> page = client.send(HttpRequest.newBuilder(server.address()).build(), HttpResponse.BodyHandlers.ofString());
            assertEquals(200, page.statusCode());
            assertTrue(page.body().contains("<title>Retrograd run</title>"));
            Files.writeString(run.resolve("metrics.jsonl"), UPDATE.formatted(1, 1, "2.0", "-2.0"));
            HttpResponse<String> data = client.send(HttpRequest.newBuilder(server.address().resolve("run.json")).build(), HttpResponse.BodyHandlers.ofString());
            assertEquals(RunSummary.read(run).toString(), data.body());
            assertEquals(404, client.send(HttpRequest.newBuilder(server.address().resolve("../config.json")).build(), HttpResponse.BodyHandlers.discarding()).statusCode());
        }
    }

    @Test void aBrowserDrawsCurvesPicturesAndSettings() throws IOException, InterruptedException {
        Optional<Browser> browser = Browser.installed();
        assumeTrue(browser.isPresent(), "no browser is installed");
        String dom = browser.get().rendered(HtmlReport.write(run), 390, temp);
        assertTrue(dom.contains("<title>a run · Retrograd</title>"), dom);
        assertTrue(dom.contains("<b>2 of 3</b>"), "updates");
        Matcher charts = Pattern.compile("<canvas[^>]*aria-label=\"([^\"]+)\"[^>]*width=\"(\\d+)\"").matcher(dom);
        List<String> drawn = charts.results().filter(c -> Integer.parseInt(c.group(2)) > 100).map(c -> c.group(1)).toList();
        assertEquals(List.of("Reward", "Reward of fixed images", "Loss", "Differentiated steps K", "Gradient norm", "Peak memory, MiB", "Seconds per update", "jpeg-size"), drawn);
        assertTrue(dom.matches("(?s).*<img id=\"after\"[^>]*src=\"data:image/png.*"), "the picture after training");
        assertTrue(dom.contains("&lt;/script&gt;"), "settings are shown as text");
    }
}
