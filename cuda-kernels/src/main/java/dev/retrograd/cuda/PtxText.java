package dev.retrograd.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPInputStream;

/// The PTX in this jar: one compressed text for each `.cu` file.
final class PtxText {

    private PtxText() {
    }

    /// @param module name of the `.cu` file without its ending
    static String read(String module) {
        String resource = module + ".ptx.gz";
        try (InputStream in = PtxText.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("cuda: the resource " + resource + " is missing");
            }
            return new String(new GZIPInputStream(in).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("cuda: the resource " + resource + " is damaged", e);
        }
    }
}
