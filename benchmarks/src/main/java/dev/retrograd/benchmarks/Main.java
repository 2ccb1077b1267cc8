package dev.retrograd.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/// `report …` turns results into a page; anything else goes to JMH, whose `-h` tells its options.
public final class Main {
    private Main() {
    }

    /// @param args see the class
    public static void main(String... args) throws IOException {
        Locale.setDefault(Locale.ROOT);
        if (args.length == 0 || !args[0].equals("report")) {
            org.openjdk.jmh.Main.main(args);
            return;
        }
        try {
            Report.Sources sources = Report.Sources.parse(Arrays.copyOfRange(args, 1, args.length));
            Report.write(sources);
            System.out.println(sources.output() + ": written");
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        }
    }

    /// Where a report goes by itself, from the repository's root.
    static Path page() {
        return Path.of("docs", "performance.md");
    }
}
