package dev.retrograd.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/// Compiles the CUDA sources to the PTX that is checked in; the module's README has the command. Whatever source has changed is compiled anew, with
/// CUDA 13's nvcc on the path. With `--text DIR` it writes what is checked in, uncompressed, to a folder instead: to be read, or to be given to ptxas.
///
/// The text is for compute_80, and its `.version` is lowered to 7.0, which every driver from CUDA 11.0 on reads; that of sources for compute capability 9.0
/// (`…_sm90….cu`) is for compute_90a, and its version 8.0, of CUDA 12.0. Its first lines name the source, the hash of all that it was compiled from, and the compiler. Compression adds no name and no time: equal texts, equal bytes.
public final class PtxBuild {
    private static final Path SOURCES = Path.of("src/main/cuda");
    private static final Path TEXTS = Path.of("src/main/resources/dev/retrograd/cuda");
    /// How far back a repetition is found: further than two texts of a family.
    private static final int DICTIONARY_BYTES = 4 << 20;

    private static final Pattern REGISTER = Pattern.compile("%([a-z]+)(\\d+)");

    private PtxBuild() {
    }

    /// Writes all families with a source that has changed, or of those named, and says which.
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path module = Files.isDirectory(SOURCES) ? Path.of("") : Path.of("cuda-kernels");
        if (arguments.length == 2 && arguments[0].equals("--text")) {
            unpack(module, Path.of(arguments[1]));
            return;
        }
        Map<Path, List<Path>> families = sources(module).stream().collect(Collectors.groupingBy(s -> file(module, s), TreeMap::new, Collectors.toList()));
        boolean changed = false;
        for (Map.Entry<Path, List<Path>> family : families.entrySet()) {
            Map<String, String> packed = Files.exists(family.getKey()) ? packed(family.getKey()) : Map.of();
            Map<String, String> before = new TreeMap<>();
            packed.forEach((name, text) -> before.put(name, PtxText.numbered(text)));
            Map<String, String> after = new TreeMap<>();
            for (Path source : family.getValue()) {
                String text = before.getOrDefault(name(source), "");
                boolean named = List.of(arguments).contains(source.getFileName().toString());
                after.put(name(source), named || !text.startsWith(stamp(source)) ? compile(source) : text);
            }
            Map<String, String> wanted = new TreeMap<>();
            after.forEach((name, text) -> wanted.put(name, packed(text)));
            if (!wanted.equals(packed)) {
                write(String.join("", wanted.values()), family.getKey());
                System.out.println(family.getKey());
                changed |= !after.equals(before);
            }
        }
        if (changed) {
            System.out.println("now docs/ptx.md is of other PTX; once it is compiled in (mvn test-compile), write it anew: " + PtxReport.COMMAND);
        }
    }

    private static void unpack(Path module, Path folder) throws IOException {
        Files.createDirectories(folder);
        for (Path source : sources(module)) {
            Files.writeString(folder.resolve(name(source) + ".ptx"), PtxText.read(name(source)));
        }
    }

    /// All `.cu` files of the module.
    static List<Path> sources(Path module) throws IOException {
        try (Stream<Path> files = Files.list(module.resolve(SOURCES))) {
            return files.filter(f -> f.toString().endsWith(".cu")).sorted().toList();
        }
    }

    private static Map<String, String> packed(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return PtxText.packed(in);
        }
    }

    /// The text with differences for numbers of registers; {@link PtxText#numbered} undoes it.
    static String packed(String text) {
        Map<String, Integer> last = new HashMap<>();
        String packed = REGISTER.matcher(text).replaceAll(m -> {
            int number = Integer.parseInt(m.group(2));
            Integer before = last.put(m.group(1), number);
            return "%%%s%+d".formatted(m.group(1), number - (before == null ? 0 : before));
        });
        if (!PtxText.numbered(packed).equals(text)) {
            throw new IllegalArgumentException("ptx: a text that can be packed is required, got " + text.lines().findFirst().orElse("nothing"));
        }
        return packed;
    }

    private static void write(String texts, Path file) throws IOException {
        Files.createDirectories(file.getParent());
        LZMA2Options options = new LZMA2Options(LZMA2Options.PRESET_MAX);
        options.setDictSize(DICTIONARY_BYTES);
        options.setLcLp(LZMA2Options.LC_LP_MAX, 0);
        options.setPb(0);
        options.setNiceLen(LZMA2Options.NICE_LEN_MAX);
        try (OutputStream out = new XZOutputStream(Files.newOutputStream(file), options)) {
            out.write(texts.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static Path file(Path module, Path source) {
        return module.resolve(TEXTS).resolve(PtxText.family(name(source)) + PtxText.ENDING);
    }

    /// A source's module.
    static String name(Path source) {
        return source.getFileName().toString().replace(".cu", "");
    }

    /// First line of the PTX of this source as it is now: its name and the hash of it and the headers that it includes.
    static String stamp(Path source) throws IOException {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-256");
            for (Path file : withHeaders(source)) {
                hash.update(Files.readAllBytes(file));
            }
            return PtxText.beginning(name(source)) + "with its headers " + HexFormat.of().formatHex(hash.digest()) + "\n";
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    private static Set<Path> withHeaders(Path source) throws IOException {
        Set<Path> files = new TreeSet<>(Set.of(source));
        Matcher include = Pattern.compile("#include \"(.+)\"").matcher(Files.readString(source));
        while (include.find()) {
            files.addAll(withHeaders(source.resolveSibling(include.group(1))));
        }
        return files;
    }

    /// What nvcc on the path calls itself; empty if there is none.
    static Optional<String> compiler() throws InterruptedException {
        try {
            return run("nvcc", "--version").lines().filter(l -> l.startsWith("Cuda compilation tools")).findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /// The PTX of a source, as it would be checked in.
    static String compile(Path source) throws IOException, InterruptedException {
        Path output = Files.createTempFile("retrograd", ".ptx");
        try {
            String log = run("nvcc", "-ptx", "-std=c++17", "-arch=compute_" + (PtxText.hopper(name(source)) ? "90a" : "80"), "-o", output.toString(), source.toString());
            if (Files.size(output) == 0) {
                throw new IOException("nvcc " + source + ": " + log);
            }
            String body = Files.readString(output).lines()
                    .filter(l -> !l.startsWith("//"))
                    .map(l -> l.startsWith(".version") ? version(source) : l)
                    .collect(Collectors.joining("\n", "", "\n"));
            return stamp(source) + "// " + compiler().orElseThrow() + "\n" + body.stripLeading();
        } finally {
            Files.delete(output);
        }
    }

    private static String version(Path source) {
        return ".version " + (PtxText.hopper(name(source)) ? "8.0" : "7.0");
    }

    /// The architecture that the text of a source is for, as compilers of PTX call it.
    static String architecture(Path source) {
        return PtxText.hopper(name(source)) ? "sm_90a" : "sm_80";
    }

    /// How the text of a source goes on after what names it.
    static String header(Path source) {
        return "\n" + version(source) + "\n.target " + architecture(source) + "\n";
    }

    /// What a program says.
    ///
    /// @throws IOException with that, if there is no such program or it fails
    static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String log = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + log);
        }
        return log;
    }
}
