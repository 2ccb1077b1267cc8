package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Bytes as people write them: `6g`, `4.5g`, `800m`, `64k`, `123456`; k, m and g are powers of 1024.
final class ByteSize {
    private static final Pattern FORM = Pattern.compile("(\\d{1,15}(?:\\.\\d{1,6})?)\\s*([kmgt]?)(?:i?b)?");
    private static final String UNITS = "kmgt";
    private static final int BITS_PER_UNIT = 10;

    private ByteSize() {
    }

    /// @param flag that it came from
    /// @throws SettingException if it is no number of bytes above 0
    static long parse(String flag, String text) {
        Matcher m = FORM.matcher(text.strip().toLowerCase(Locale.ROOT));
        double bytes = m.matches() ? Double.parseDouble(m.group(1)) * (1L << BITS_PER_UNIT * (UNITS.indexOf(m.group(2)) + 1) * Math.min(1, m.group(2).length())) : 0;
        SettingException.require(bytes >= 1 && bytes < Long.MAX_VALUE, flag, "a number of bytes such as 6g, 4.5g or 800m", "'" + text + "'");
        return (long) bytes;
    }

    /// Such as `3.05 GiB` or `812 MiB`.
    static String show(long bytes) {
        double value = bytes;
        int unit = -1;
        while (value >= 1 << BITS_PER_UNIT && unit < UNITS.length() - 1) {
            value /= 1 << BITS_PER_UNIT;
            unit++;
        }
        return unit < 0 ? bytes + " B" : String.format(Locale.ROOT, value < 10 ? "%.2f %siB" : value < 100 ? "%.1f %siB" : "%.0f %siB", value, Character.toUpperCase(UNITS.charAt(unit)));
    }
}
