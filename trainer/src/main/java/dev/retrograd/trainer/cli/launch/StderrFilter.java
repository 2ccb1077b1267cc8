package dev.retrograd.trainer.cli.launch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Copies a JVM's error stream, leaving out the one line by which it announces the Vector API; no JVM flag silences that line.
 *
 * <p>Bytes pass as they come: only what could still become that line is held back.
 */
final class StderrFilter {

    private static final byte[] UNWANTED = ("WARNING: Using incubator modules: " + JdkHome.VECTOR_MODULE + System.lineSeparator())
            .getBytes(StandardCharsets.US_ASCII);

    /** Bytes of the current line that equal the start of the unwanted one; -1 in a line known to differ, or after it was seen. */
    private int matched;

    private boolean seen;

    /** Copies until the end of the stream, flushing whenever it would wait. */
    void copy(InputStream in, OutputStream out) throws IOException {
        byte[] buffer = new byte[8192];
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            out.write(filter(buffer, n));
            out.flush();
        }
        out.write(UNWANTED, 0, Math.max(matched, 0));
        out.flush();
    }

    private byte[] filter(byte[] buffer, int n) {
        ByteArrayOutputStream kept = new ByteArrayOutputStream(n + UNWANTED.length);
        for (int i = 0; i < n; i++) {
            if (matched >= 0 && buffer[i] == UNWANTED[matched]) {
                matched++;
                if (matched == UNWANTED.length) {
                    seen = true;
                    matched = -1;
                }
                continue;
            }
            kept.write(UNWANTED, 0, Math.max(matched, 0));
            kept.write(buffer[i]);
            matched = buffer[i] == '\n' && !seen ? 0 : -1;
        }
        return kept.toByteArray();
    }
}
