package dev.retrograd.trainer.experiment;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.RandomStream;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/// A page that shows people pairs of images without saying which model made which, asks two questions of each, and exports the answers.
///
/// The order of the pairs and the side of each model are drawn from a seed. The key is in the page's data, so that votes name models; nothing shows it.
final class BlindPage {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ArrayNode pairs = JSON.createArrayNode();

    /// One comparison: two images of each model for one prompt.
    record Pair(String id, String prompt, String model, List<RgbImage> images, String rival, List<RgbImage> rivals) {
    }

    /// @param seed of the order and the sides
    BlindPage(List<Pair> all, long seed) throws IOException {
        List<Pair> rest = new ArrayList<>(all);
        RandomStream random = new RandomStream(seed);
        while (!rest.isEmpty()) {
            Pair p = rest.remove((int) random.randint(0, rest.size()));
            boolean swapped = random.nextDouble() < 0.5;
            ObjectNode node = pairs.addObject().put("id", p.id).put("prompt", p.prompt);
            side(node.putObject("left"), swapped ? p.rival : p.model, swapped ? p.rivals : p.images);
            side(node.putObject("right"), swapped ? p.model : p.rival, swapped ? p.images : p.rivals);
        }
    }

    private static void side(ObjectNode node, String model, List<RgbImage> images) throws IOException {
        node.put("key", model);
        ArrayNode shown = node.putArray("images");
        for (RgbImage image : images) {
            shown.add("data:image/png;base64," + Base64.getEncoder().encodeToString(PngFile.encode(image, Map.of())));
        }
    }

    /// The page, which needs no other file and no network.
    String html() throws IOException {
        try (InputStream in = BlindPage.class.getResourceAsStream("blind.html")) {
            if (in == null) {
                throw new IOException("the jar lacks blind.html; it is damaged, build it again");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).replace("{{pairs}}", pairs.toString().replace("<", "\\u003c"));
        }
    }
}
