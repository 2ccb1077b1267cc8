package dev.retrograd.cuda;

import dev.retrograd.cuda.KernelUse.Multiprocessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// What kernels take of every GPU that they are for: gives the checked-in PTX to the ptxas on the path.
///
/// With `--page` it writes `docs/ptx.md` anew: modules whose text is that of the page keep their rows. Otherwise it prints a line of every entry, of the modules and for the
/// architectures that are named, or of all (`norm sm_80 sm_90`).
public final class PtxReport {
    /// What writes the page, for messages.
    static final String COMMAND = "java -cp \"core/target/classes:cuda-kernels/target/classes:cuda-kernels/target/test-classes:$(find ~/.m2 -name 'xz-1.12.jar')\" "
            + "dev.retrograd.cuda.PtxReport --page";

    private PtxReport() {
    }

    /// @throws IOException if ptxas is missing or refuses a text
    public static void main(String[] arguments) throws IOException, InterruptedException {
        List<String> given = List.of(arguments);
        Path module = Files.isDirectory(Path.of("src/main/cuda")) ? Path.of("") : Path.of("cuda-kernels");
        List<String> modules = PtxBuild.sources(module).stream().map(PtxBuild::name).toList();
        if (given.equals(List.of("--page"))) {
            write(PtxPage.file(module), modules);
            return;
        }
        boolean every = given.stream().allMatch(a -> a.startsWith("sm_"));
        for (String name : modules.stream().filter(m -> every || given.contains(m)).toList()) {
            for (Multiprocessor m : architectures(name)) {
                if (given.stream().noneMatch(a -> a.startsWith("sm_")) || given.contains(m.toString())) {
                    use(name, m).forEach(k -> System.out.println(line(m, k)));
                }
            }
        }
    }

    private static void write(Path file, List<String> modules) throws IOException, InterruptedException {
        String compiler = compiler().orElseThrow(() -> new IOException("no ptxas on the path"));
        Optional<PtxPage> before = Files.exists(file) ? Optional.of(PtxPage.parse(Files.readString(file))).filter(p -> p.compiler().equals(compiler)) : Optional.empty();
        List<PtxPage.Row> rows = new ArrayList<>();
        for (String name : modules) {
            Optional<PtxPage.Row> known = before.flatMap(p -> p.row(name)).filter(r -> r.hash().equals(PtxPage.hash(name)));
            rows.add(known.isPresent() ? known.get() : row(name, Multiprocessor.values()));
        }
        Files.writeString(file, new PtxPage(compiler, rows).text());
        System.out.println(file);
    }

    /// A module's row of the page.
    ///
    /// @param among architectures whose cells are filled, where the module is for them
    static PtxPage.Row row(String name, Multiprocessor... among) throws IOException, InterruptedException {
        List<String> cells = new ArrayList<>();
        int entries = 0;
        int spilled = 0;
        for (Multiprocessor m : Multiprocessor.values()) {
            boolean asked = Arrays.asList(among).contains(m) && architectures(name).contains(m);
            List<KernelUse> all = asked ? use(name, m) : List.of();
            entries = Math.max(entries, all.size());
            spilled += all.stream().mapToInt(KernelUse::spilledBytes).sum();
            cells.add(asked ? PtxPage.cell(m, all) : PtxPage.NONE);
        }
        return new PtxPage.Row(name, PtxPage.hash(name), entries, spilled, cells);
    }

    /// Those that a module is for.
    static List<Multiprocessor> architectures(String name) {
        return PtxText.hopper(name) ? List.of(Multiprocessor.SM_90) : List.of(Multiprocessor.values());
    }

    private static List<KernelUse> use(String name, Multiprocessor m) throws IOException, InterruptedException {
        String text = PtxText.read(name);
        Path file = Files.createTempFile("retrograd", ".ptx");
        try {
            Files.writeString(file, text);
            return KernelUse.of(text, PtxBuild.run("ptxas", "-v", "-arch=" + m + (PtxText.hopper(name) ? "a" : ""), "-o", "/dev/null", file.toString()));
        } finally {
            Files.delete(file);
        }
    }

    /// What ptxas on the path calls itself; empty if there is none.
    static Optional<String> compiler() throws InterruptedException {
        try {
            return PtxBuild.run("ptxas", "--version").lines().filter(l -> l.startsWith("Cuda compilation tools")).findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static String line(Multiprocessor m, KernelUse k) {
        return m + " " + k.name() + ": " + k.registers() + " registers, " + k.sharedBytes() + " bytes shared, " + k.spilledBytes() + " bytes spilled, " + k.blocks(m) + " blocks of "
                + k.threads() + " threads at once, " + k.occupancy(m) + " % of the warps";
    }
}
