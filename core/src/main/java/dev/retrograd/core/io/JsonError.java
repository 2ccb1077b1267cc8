package dev.retrograd.core.io;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonLocation;
import java.util.regex.Pattern;

/// What is wrong with a JSON text, in words for its writer.
public final class JsonError {
    /// Jackson names its own source object, which tells a reader nothing.
    private static final Pattern ABOUT_ITS_SOURCE = Pattern.compile(" \\(start marker at .*\\)$", Pattern.DOTALL);

    private JsonError() {}

    /// The parser's words without what only concerns the parser: `Unexpected end-of-input: expected close marker for Object`.
    public static String of(JacksonException e) {
        return ABOUT_ITS_SOURCE.matcher(e.getOriginalMessage()).replaceFirst("");
    }

    /// The same, with where: `line 3, column 7: Unexpected …`.
    public static String withPlace(JacksonException e) {
        JsonLocation at = e.getLocation();
        return at == null ? of(e) : "line " + at.getLineNr() + ", column " + at.getColumnNr() + ": " + of(e);
    }
}
