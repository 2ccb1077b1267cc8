package dev.retrograd.cuda;

import dev.retrograd.cuda.KernelUse.Multiprocessor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The page `docs/ptx.md`: what the kernels of every module take of every architecture, with the hash of the text that it was found of.
///
/// @param compiler that was asked
record PtxPage(String compiler, List<Row> rows) {
    /// Of an architecture that a module is not for.
    static final String NONE = "–";
    private static final int HASH_DIGITS = 12;
    private static final Pattern COMPILER = Pattern.compile("`ptxas` \\((.+?)\\)");
    private static final Pattern ROW = Pattern.compile("(?m)^\\| (\\w+) \\| `(\\w+)` \\| (\\d+) \\| (\\d+) \\|(.+) \\|$");

    /// A module.
    ///
    /// @param spilled bytes, of all its entries on all architectures
    /// @param cells one for each architecture
    record Row(String module, String hash, int entries, int spilled, List<String> cells) {
        @Override public String toString() {
            return "| " + module + " | `" + hash + "` | " + entries + " | " + spilled + " | " + String.join(" | ", cells) + " |";
        }
    }

    static Path file(Path module) {
        return module.resolve("..").resolve("docs").resolve("ptx.md").normalize();
    }

    /// Of a module's text, the beginning of it.
    static String hash(String module) {
        try {
            byte[] all = MessageDigest.getInstance("SHA-256").digest(PtxText.read(module).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(all).substring(0, HASH_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /// Most registers, most static shared memory, least share of the warps.
    static String cell(Multiprocessor m, List<KernelUse> entries) {
        return entries.stream().mapToInt(KernelUse::registers).max().orElseThrow() + ", " + entries.stream().mapToInt(KernelUse::staticBytes).max().orElseThrow() + ", "
                + entries.stream().mapToInt(k -> k.occupancy(m)).min().orElseThrow() + " %";
    }

    static PtxPage parse(String text) {
        List<Row> rows = new ArrayList<>();
        for (MatchResult m : ROW.matcher(text).results().toList()) {
            rows.add(new Row(m.group(1), m.group(2), Integer.parseInt(m.group(3)), Integer.parseInt(m.group(4)), List.of(m.group(5).strip().split(" \\| "))));
        }
        Matcher compiler = COMPILER.matcher(text);
        return new PtxPage(compiler.find() ? compiler.group(1) : "", rows);
    }

    Optional<Row> row(String module) {
        return rows.stream().filter(r -> r.module.equals(module)).findFirst();
    }

    String text() {
        String architectures = Arrays.stream(Multiprocessor.values()).map(m -> " " + m + " |").collect(Collectors.joining());
        return """
                # What kernels take of a GPU

                Of every module of the PTX in `cuda-kernels/src/main/resources`, as `ptxas` (%s) compiles it: the most registers of a thread, the most bytes of static shared memory of a
                block, and the least share of a multiprocessor's warps that run at once, dynamic shared memory included. Spills are the bytes that all kernels of a module store and load on all
                architectures together because registers ran out. Modules for compute capability 9.0 alone (`…_sm90…`) are compiled for sm_90a. The hash is the beginning of the text's SHA-256.

                Written by a program; a test fails if the PTX is not that of the hashes. Rows of texts that have not changed are kept:

                ```
                %s
                ```

                With names of modules or architectures instead of `--page`, it prints a line of every kernel.

                | module | PTX | kernels | spills |%s
                |---|---|---|---|%s
                """.formatted(compiler, PtxReport.COMMAND, architectures, "---|".repeat(Multiprocessor.values().length)) + rows.stream().map(r -> r + "\n").collect(Collectors.joining());
    }
}
