package dev.retrograd.benchmarks;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/// `report …` turns results into a page, `measure …` runs what a peer runs as well; anything else goes to JMH, whose `-h` tells its options.
public final class Main {
    private Main() {
    }

    /// @param args see the class
    public static void main(String... args) throws IOException {
        Locale.setDefault(Locale.ROOT);
        String[] rest = Arrays.copyOfRange(args, Math.min(1, args.length), args.length);
        try {
            switch (args.length == 0 ? "" : args[0]) {
                case "report" -> {
                    Report.Sources sources = Report.Sources.parse(rest);
                    Report.write(sources);
                    System.out.println(sources.output() + ": written");
                }
                case "measure" -> new Measure(rest).run();
                default -> org.openjdk.jmh.Main.main(args);
            }
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        } catch (NoSuchFileException e) {
            System.err.println(e.getFile() + ": there is no such file");
            System.exit(1);
        }
    }

    /// Where a report goes by itself, from the repository's root.
    static Path page() {
        return Path.of("docs", "performance.md");
    }
}
