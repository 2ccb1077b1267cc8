package dev.retrograd.trainer.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// Rows of cells under a heading, written as aligned text, Markdown or CSV.
///
/// @param heading names of the columns, at least one
/// @param rows of as many cells each
public record Table(List<String> heading, List<List<String>> rows) {

    /// @throws IllegalArgumentException if there is no column, or a row has other cells than columns
    public Table {
        heading = List.copyOf(heading);
        rows = rows.stream().map(List::copyOf).toList();
        int columns = heading.size();
        if (columns == 0 || rows.stream().anyMatch(r -> r.size() != columns)) {
            throw new IllegalArgumentException("table: every row must have the heading's " + columns + " cells, 1 or more, got " + rows.stream().map(List::size).distinct().toList());
        }
    }

    /// A number as tables show it: four digits that count, plain between 0.001 and 100,000.
    public static String number(double value) {
        double size = Math.abs(value);
        if (!Double.isFinite(value) || value == 0) {
            return Double.toString(value);
        }
        if (size < 1e-3 || size >= 1e5) {
            return String.format(Locale.ROOT, "%.3e", value);
        }
        return String.format(Locale.ROOT, "%." + Math.clamp(3 - (long) Math.floor(Math.log10(size)), 0, 6) + "f", value);
    }

    /// Columns aligned by blanks: text to the left, what begins like a number to the right.
    public String text() {
        List<List<String>> all = new ArrayList<>(List.of(heading));
        all.addAll(rows);
        StringBuilder text = new StringBuilder();
        for (List<String> row : all) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < row.size(); c++) {
                String padding = " ".repeat(width(c) - length(row.get(c)));
                line.append(c == 0 ? "" : "  ").append(right(c) ? padding + row.get(c) : row.get(c) + padding);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    private static int length(String cell) {
        return cell.codePointCount(0, cell.length());
    }

    private int width(int column) {
        return Math.max(length(heading.get(column)), rows.stream().mapToInt(r -> length(r.get(column))).max().orElse(0));
    }

    /// Whether a column holds numbers only, or nothing.
    private boolean right(int column) {
        return !rows.isEmpty() && rows.stream().allMatch(r -> r.get(column).matches("(-?[0-9].*)?"));
    }

    /// GitHub's tables.
    public String markdown() {
        List<String> lines = new ArrayList<>();
        lines.add(markdown(heading));
        lines.add(heading.stream().map(h -> right(heading.indexOf(h)) ? "---:" : "---").collect(Collectors.joining(" | ", "| ", " |")));
        rows.forEach(r -> lines.add(markdown(r)));
        return String.join("\n", lines) + "\n";
    }

    private static String markdown(List<String> row) {
        return row.stream().map(c -> c.replace("|", "\\|").replaceAll("\\R", " ")).collect(Collectors.joining(" | ", "| ", " |"));
    }

    /// RFC 4180, with line feeds.
    public String csv() {
        StringBuilder csv = new StringBuilder();
        List<List<String>> all = new ArrayList<>(List.of(heading));
        all.addAll(rows);
        all.forEach(r -> csv.append(r.stream().map(Table::quoted).collect(Collectors.joining(","))).append('\n'));
        return csv.toString();
    }

    private static String quoted(String cell) {
        return cell.matches("(?s).*[\",\\r\\n].*") ? '"' + cell.replace("\"", "\"\"") + '"' : cell;
    }
}
