package dev.retrograd.cuda;

import dev.retrograd.cuda.KernelUse.Multiprocessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// What every kernel but those for one architecture only takes of every GPU that it is for: gives the checked-in PTX to the ptxas on the path, and prints registers, shared memory,
/// occupancy and spills. The module's README has the command and the table.
///
/// Arguments: `--all` for a line of every entry, then architectures (`sm_80 sm_90`); none for all of them.
public final class PtxReport {
    private static final Pattern TILE = Pattern.compile("Tile\\d+x\\d+");

    private PtxReport() {
    }

    /// Prints the report.
    ///
    /// @throws IOException if ptxas is missing or refuses a text
    public static void main(String[] arguments) throws IOException, InterruptedException {
        List<String> given = List.of(arguments);
        Path module = Files.isDirectory(Path.of("src/main/cuda")) ? Path.of("") : Path.of("cuda-kernels");
        Map<Multiprocessor, Map<String, List<KernelUse>>> all = new EnumMap<>(Multiprocessor.class);
        for (Multiprocessor m : Multiprocessor.values()) {
            if (given.stream().noneMatch(a -> a.startsWith("sm_")) || given.contains(m.toString())) {
                all.put(m, use(module, m));
            }
        }
        if (given.contains("--all")) {
            all.forEach((m, families) -> families.values().stream().flatMap(List::stream).forEach(k -> System.out.println(line(m, k))));
        }
        table(all).forEach(System.out::println);
    }

    private static String line(Multiprocessor m, KernelUse k) {
        return m + " " + k.name() + ": " + k.registers() + " registers, " + k.sharedBytes() + " bytes shared, " + k.spilledBytes() + " bytes spilled, " + k.blocks(m) + " blocks of "
                + k.threads() + " threads at once, " + k.occupancy(m) + " % of the warps";
    }

    /// The entries of every family, those of one tile shape together.
    private static Map<String, List<KernelUse>> use(Path module, Multiprocessor m) throws IOException, InterruptedException {
        Map<String, List<KernelUse>> families = new TreeMap<>();
        for (Path source : PtxBuild.sources(module)) {
            String name = PtxBuild.name(source);
            String text = PtxText.read(name);
            if (!PtxText.hopper(name)) {
                KernelUse.of(text, ptxas(text, m.toString())).forEach(k -> families.computeIfAbsent(group(name, k.name()), _ -> new ArrayList<>()).add(k));
            }
        }
        return families;
    }

    private static String group(String module, String entry) {
        Matcher tile = TILE.matcher(entry);
        return PtxText.family(module) + (tile.find() ? ", " + tile.group().substring("Tile".length()) : "");
    }

    private static String ptxas(String text, String architecture) throws IOException, InterruptedException {
        Path file = Files.createTempFile("retrograd", ".ptx");
        try {
            Files.writeString(file, text);
            return PtxBuild.run("ptxas", "-v", "-arch=" + architecture, "-o", "/dev/null", file.toString());
        } finally {
            Files.delete(file);
        }
    }

    /// A row for each family, a column for each architecture: most registers, least occupancy; then what is spilled.
    private static List<String> table(Map<Multiprocessor, Map<String, List<KernelUse>>> all) {
        List<String> lines = new ArrayList<>();
        lines.add("| kernels | entries |" + all.keySet().stream().map(m -> " " + m + " |").collect(Collectors.joining()));
        lines.add("|---|---|" + "---|".repeat(all.size()));
        Map<String, List<KernelUse>> first = all.values().iterator().next();
        first.forEach((family, entries) -> lines.add("| " + family + " | " + entries.size() + " |"
                + all.entrySet().stream().map(e -> " " + cell(e.getKey(), e.getValue().get(family)) + " |").collect(Collectors.joining())));
        lines.add("");
        List<String> spills = new ArrayList<>();
        all.forEach((m, families) -> families.values().stream().flatMap(List::stream).filter(k -> k.spilledBytes() > 0)
                .forEach(k -> spills.add(m + " " + k.name() + " " + k.spilledBytes() + " bytes")));
        lines.add("Spills: " + (spills.isEmpty() ? "none." : String.join(", ", spills) + "."));
        return lines;
    }

    private static String cell(Multiprocessor m, List<KernelUse> entries) {
        return entries.stream().mapToInt(KernelUse::registers).max().orElseThrow() + ", " + entries.stream().mapToInt(k -> k.occupancy(m)).min().orElseThrow() + " %";
    }
}
