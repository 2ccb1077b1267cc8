package dev.retrograd.trainer.report;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.image.LineChart;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/// Results as a page of Markdown with its pictures beside it, and the same as one HTML file that needs nothing else.
public final class ResultPage {
    /// What the Markdown file is called.
    public static final String MARKDOWN = "results.md";
    private static final String STYLE = "body{font:15px/1.5 sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222}table{border-collapse:collapse;margin:1em 0}"
            + "td,th{border:1px solid #ccc;padding:.3em .7em;text-align:left}img,svg{max-width:100%;height:auto}img{image-rendering:pixelated}h2{margin-top:2em}";

    private final String title;
    private final List<Part> parts = new ArrayList<>();

    private sealed interface Part {
        record Heading(String text) implements Part {
        }

        record Text(String text) implements Part {
        }

        record Rows(Table table) implements Part {
        }

        record Chart(String file, String about, String svg) implements Part {
        }

        record Picture(String file, String about, RgbImage image) implements Part {
        }

        record Link(String file, String about) implements Part {
        }
    }

    public ResultPage(String title) {
        this.title = title;
    }

    public ResultPage heading(String text) {
        parts.add(new Part.Heading(text));
        return this;
    }

    /// A paragraph of plain text.
    public ResultPage text(String text) {
        parts.add(new Part.Text(text));
        return this;
    }

    public ResultPage table(Table table) {
        parts.add(new Part.Rows(table));
        return this;
    }

    /// @param file name of the SVG beside the page
    public ResultPage chart(String file, String about, LineChart chart) {
        parts.add(new Part.Chart(file, about, chart.svg()));
        return this;
    }

    /// @param file name of the PNG beside the page
    public ResultPage picture(String file, String about, RgbImage image) {
        parts.add(new Part.Picture(file, about, image));
        return this;
    }

    /// @param file another file of the same folder
    public ResultPage link(String file, String about) {
        parts.add(new Part.Link(file, about));
        return this;
    }

    String markdown() {
        StringBuilder out = new StringBuilder("# " + title + "\n");
        for (Part part : parts) {
            out.append('\n').append(switch (part) {
                case Part.Heading h -> "## " + h.text + "\n";
                case Part.Text t -> t.text + "\n";
                case Part.Rows r -> r.table.markdown();
                case Part.Chart c -> "![" + c.about + "](" + c.file + ")\n";
                case Part.Picture p -> "![" + p.about + "](" + p.file + ")\n\n*" + p.about + "*\n";
                case Part.Link l -> "[" + l.about + "](" + l.file + ")\n";
            });
        }
        return out.toString();
    }

    private String html(Path folder) throws IOException {
        StringBuilder out = new StringBuilder("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + escaped(title) + "</title><style>" + STYLE + "</style></head><body>\n<h1>" + escaped(title) + "</h1>\n");
        for (Part part : parts) {
            out.append(switch (part) {
                case Part.Heading h -> "<h2>" + escaped(h.text) + "</h2>\n";
                case Part.Text t -> "<p>" + escaped(t.text) + "</p>\n";
                case Part.Rows r -> rows(r.table);
                case Part.Chart c -> "<figure>" + c.svg + "</figure>\n";
                case Part.Picture p -> "<figure><img alt=\"\" src=\"data:image/png;base64," + Base64.getEncoder().encodeToString(Files.readAllBytes(folder.resolve(p.file))) + "\"><figcaption>" + escaped(p.about) + "</figcaption></figure>\n";
                case Part.Link l -> "<p><a href=\"" + escaped(l.file) + "\">" + escaped(l.about) + "</a></p>\n";
            });
        }
        return out.append("</body></html>\n").toString();
    }

    private static String rows(Table table) {
        StringBuilder out = new StringBuilder("<table>\n<tr>");
        table.heading().forEach(h -> out.append("<th>").append(escaped(h)).append("</th>"));
        table.rows().forEach(row -> {
            out.append("</tr>\n<tr>");
            row.forEach(cell -> out.append("<td>").append(escaped(cell)).append("</td>"));
        });
        return out.append("</tr>\n</table>\n").toString();
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    /// Writes `results.md`, `report.html` and the pictures.
    ///
    /// @throws IOException if a file cannot be written
    public void write(Path folder) throws IOException {
        for (Part part : parts) {
            switch (part) {
                case Part.Chart c -> AtomicFile.writeString(folder.resolve(c.file), c.svg);
                case Part.Picture p -> PngFile.write(folder.resolve(p.file), p.image, Map.of());
                case Part.Heading _, Part.Text _, Part.Rows _, Part.Link _ -> { }
            }
        }
        AtomicFile.writeString(folder.resolve(MARKDOWN), markdown());
        AtomicFile.writeString(folder.resolve(HtmlReport.NAME), html(folder));
    }
}
