package dev.retrograd.trainer.fit;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A user's scores of image files: CSV, UTF-8, a line `file,score` each.
///
/// A name may be put in double quotes, a quote inside doubled. A first line `file,score` is a heading; blank lines are skipped.
public final class ScoreFile {
    private static final Pattern ROW = Pattern.compile("\\s*(?:\"((?:[^\"]|\"\")+)\"|([^\"]+?))\\s*,\\s*([^,\"]+?)\\s*");
    private static final String HEADING = "file,score";
    private static final String BYTE_ORDER_MARK = "\uFEFF";

    private ScoreFile() {
    }

    /// Scores by file name, in the order of the lines.
    ///
    /// @throws IOException if it cannot be read, is not UTF-8, has a line of another form, a score that is not finite, or a file twice; one sentence with the line
    public static SequencedMap<String, Float> read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + ": a CSV file of scores is required, but " + (Files.exists(file) ? "this is none" : "there is none"));
        }
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new IOException(file + ": scores must be UTF-8, got other bytes", e);
        }
        String[] lines = (text.startsWith(BYTE_ORDER_MARK) ? text.substring(1) : text).split("\\R");
        SequencedMap<String, Float> scores = new LinkedHashMap<>();
        for (int i = 0; i < lines.length; i++) {
            boolean heading = scores.isEmpty() && lines[i].replace(" ", "").equalsIgnoreCase(HEADING);
            if (!heading && !lines[i].isBlank()) {
                add(file + ": line " + (i + 1), lines[i], scores);
            }
        }
        if (scores.isEmpty()) {
            throw new IOException(file + ": at least one line file,score is required, got none");
        }
        return scores;
    }

    private static void add(String where, String line, SequencedMap<String, Float> scores) throws IOException {
        Matcher m = ROW.matcher(line);
        if (!m.matches()) {
            throw new IOException(where + ": must be file,score, got '" + line.strip() + "'");
        }
        String name = m.group(1) == null ? m.group(2) : m.group(1).replace("\"\"", "\"");
        float score;
        try {
            score = Float.parseFloat(m.group(3));
        } catch (NumberFormatException e) {
            throw new IOException(where + ": the score must be a number, got '" + m.group(3) + "'", e);
        }
        if (!Float.isFinite(score)) {
            throw new IOException(where + ": the score must be finite, got " + m.group(3));
        }
        if (scores.putIfAbsent(name, score) != null) {
            throw new IOException(where + ": each file must come once, got '" + name + "' again");
        }
    }
}
