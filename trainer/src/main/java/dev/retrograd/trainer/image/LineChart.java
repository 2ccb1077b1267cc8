package dev.retrograd.trainer.image;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/// Curves over one axis as an SVG picture: vector graphics need no fonts where they are written, which drawing text into a bitmap does.
///
/// @param x what the horizontal axis counts
/// @param y what the vertical axis measures
/// @param categories names of x = 0, 1, 2 …, whose points are not joined; none where x is a number
public record LineChart(String x, String y, List<Series> series, List<String> categories) {
    private static final int WIDTH = 720;
    private static final int HEIGHT = 340;
    private static final int LEFT = 84;
    private static final int RIGHT = 16;
    private static final int TOP = 40;
    private static final int BOTTOM = 48;
    private static final int LEGEND_LINE = 24;
    private static final int LEGEND_COLUMN = 210;
    /// Curves whose names fit side by side at that width.
    private static final int FEW = 3;
    private static final int MOST_TICKS = 6;
    /// Share of the range of values that stays free above and below.
    private static final double MARGIN = 0.05;

    /// Curves over numbers.
    public LineChart(String x, String y, List<Series> series) {
        this(x, y, series, List.of());
    }

    /// One curve.
    ///
    /// @param colour as CSS writes it, e.g. `#1f77b4`
    /// @param marked whether each point gets a dot
    /// @param points from left to right, finite
    public record Series(String name, String colour, boolean marked, List<Point> points) {
    }

    /// One value.
    ///
    /// @param error half the length of its bar; 0 for none
    public record Point(double x, double y, double error) {
        public Point(double x, double y) {
            this(x, y, 0);
        }
    }

    /// Least and greatest value of an axis, and the distance between its ticks.
    private record Axis(double least, double greatest, double tick) {
        static Axis of(double least, double greatest, double margin) {
            double range = greatest > least ? greatest - least : Math.max(1, Math.abs(least));
            double low = least - margin * range;
            double high = (greatest > least ? greatest : least + range) + margin * range;
            return new Axis(low, high, tick(high - low));
        }

        /// The least of 1, 2, 5 times a power of ten that makes no more than the most ticks.
        private static double tick(double range) {
            double power = Math.pow(10, Math.floor(Math.log10(range / MOST_TICKS)));
            for (int factor : new int[] {1, 2, 5}) {
                if (range / (factor * power) <= MOST_TICKS) {
                    return factor * power;
                }
            }
            return 10 * power;
        }

        double share(double value) {
            return (value - least) / (greatest - least);
        }

        List<Double> ticks() {
            List<Double> ticks = new ArrayList<>();
            for (long i = (long) Math.ceil(least / tick); i * tick <= greatest; i++) {
                ticks.add(i * tick);
            }
            return ticks;
        }

        String label(double value) {
            return String.format(Locale.ROOT, "%." + Math.max(0, (int) -Math.floor(Math.log10(tick))) + "f", value);
        }
    }

    /// The picture as a file that needs no other.
    ///
    /// @throws IllegalArgumentException if there is no point at all
    public String svg() {
        if (series.stream().allMatch(s -> s.points.isEmpty())) {
            throw new IllegalArgumentException("chart: there must be a point to draw, got none in " + series.size() + " series");
        }
        Axis across = categories.isEmpty() ? Axis.of(least(Point::x), greatest(Point::x), 0) : new Axis(-0.5, categories.size() - 0.5, 1);
        Axis up = Axis.of(least(p -> p.y - p.error), greatest(p -> p.y + p.error), MARGIN);
        StringBuilder out = new StringBuilder("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\">%n"
                .formatted(WIDTH, HEIGHT, WIDTH, HEIGHT));
        out.append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        for (double tick : up.ticks()) {
            out.append(line(LEFT, row(up, tick), WIDTH - RIGHT, row(up, tick), "#dddddd"));
            out.append(text(LEFT - 8, row(up, tick) + 4, "end", up.label(tick)));
        }
        for (double tick : across.ticks()) {
            out.append(line(column(across, tick), HEIGHT - BOTTOM, column(across, tick), HEIGHT - BOTTOM + 5, "#333333"));
            out.append(text(column(across, tick), HEIGHT - BOTTOM + 19, "middle", categories.isEmpty() ? across.label(tick) : categories.get((int) tick)));
        }
        out.append(line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#333333"));
        out.append(text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10, "middle", x));
        out.append("<text transform=\"translate(18 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>%n".formatted((TOP + HEIGHT - BOTTOM) / 2, escaped(y)));
        for (int i = 0; i < series.size(); i++) {
            int column = series.size() <= FEW ? LEGEND_COLUMN : (WIDTH - LEFT - RIGHT) / series.size();
            draw(out, series.get(i), across, up, LEFT + i * column);
        }
        return out.append("</svg>\n").toString();
    }

    private void draw(StringBuilder out, Series s, Axis across, Axis up, int legend) {
        out.append("<line x1=\"%d\" y1=\"18\" x2=\"%d\" y2=\"18\" stroke=\"%s\" stroke-width=\"3\"/>%n".formatted(legend, legend + LEGEND_LINE, escaped(s.colour)));
        out.append(text(legend + LEGEND_LINE + 6, 22, "start", s.name));
        if (categories.isEmpty()) {
            join(out, s, across, up);
        }
        s.points.stream().filter(p -> p.error > 0)
                .forEach(p -> out.append(line(column(across, p.x), row(up, p.y - p.error), column(across, p.x), row(up, p.y + p.error), escaped(s.colour))));
        if (s.marked) {
            for (Point p : s.points) {
                out.append("<circle cx=\"%s\" cy=\"%s\" r=\"4\" fill=\"%s\"/>%n".formatted(number(column(across, p.x)), number(row(up, p.y)), escaped(s.colour)));
            }
        }
    }

    private static void join(StringBuilder out, Series s, Axis across, Axis up) {
        out.append("<polyline fill=\"none\" stroke=\"").append(escaped(s.colour)).append("\" stroke-width=\"2\" points=\"");
        for (Point p : s.points) {
            out.append(number(column(across, p.x))).append(',').append(number(row(up, p.y))).append(' ');
        }
        out.append("\"/>\n");
    }

    private double least(ToDoubleFunction<Point> of) {
        return series.stream().flatMap(s -> s.points.stream()).mapToDouble(of).min().orElseThrow();
    }

    private double greatest(ToDoubleFunction<Point> of) {
        return series.stream().flatMap(s -> s.points.stream()).mapToDouble(of).max().orElseThrow();
    }

    private static double column(Axis axis, double value) {
        return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT);
    }

    private static double row(Axis axis, double value) {
        return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - BOTTOM - TOP);
    }

    private static String line(double x1, double y1, double x2, double y2, String colour) {
        return "<line x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\" stroke=\"%s\"/>%n".formatted(number(x1), number(y1), number(x2), number(y2), colour);
    }

    private static String text(double x, double y, String anchor, String content) {
        return "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>%n".formatted(number(x), number(y), anchor, escaped(content));
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
