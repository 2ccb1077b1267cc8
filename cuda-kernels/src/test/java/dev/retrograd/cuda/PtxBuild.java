package dev.retrograd.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/// Compiles the CUDA sources to the PTX that is checked in. After a change of a `.cu` or `.cuh` file, with CUDA 13's nvcc on the path:
/// `java cuda-kernels/src/test/java/dev/retrograd/cuda/PtxBuild.java` in the repository's root. With `--text DIR` it writes what is checked
/// in, uncompressed, to a folder instead: to be read, or to be given to ptxas.
///
/// The text is for compute_80, and its `.version` is lowered to 7.0, which every driver from CUDA 11.0 on reads. Its first lines name the
/// source, the hash of all that it was compiled from, and the compiler. Compression adds no name and no time: equal text, equal bytes.
public final class PtxBuild {
    private static final Path SOURCES = Path.of("src/main/cuda");
    private static final String ENDING = ".ptx.gz";
    private static final Path TEXTS = Path.of("src/main/resources/dev/retrograd/cuda");

    private PtxBuild() {
    }

    /// Writes all texts whose source has changed, or those named, and says which.
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path module = Files.isDirectory(SOURCES) ? Path.of("") : Path.of("cuda-kernels");
        if (arguments.length == 2 && arguments[0].equals("--text")) {
            unpack(module, Path.of(arguments[1]));
            return;
        }
        for (Path source : sources(module)) {
            Path file = file(module, source);
            boolean stale = !Files.exists(file) || !read(module, source).startsWith(stamp(source));
            if (stale || List.of(arguments).contains(source.getFileName().toString())) {
                Files.createDirectories(file.getParent());
                write(compile(source), file);
                System.out.println(file);
            }
        }
    }

    private static void unpack(Path module, Path folder) throws IOException {
        Files.createDirectories(folder);
        for (Path source : sources(module)) {
            Files.writeString(folder.resolve(name(source) + ".ptx"), read(module, source));
        }
    }

    /// All `.cu` files of the module.
    static List<Path> sources(Path module) throws IOException {
        try (Stream<Path> files = Files.list(module.resolve(SOURCES))) {
            return files.filter(f -> f.toString().endsWith(".cu")).sorted().toList();
        }
    }

    /// The PTX of a source, as it is checked in.
    static String read(Path module, Path source) throws IOException {
        try (InputStream in = new GZIPInputStream(Files.newInputStream(file(module, source)))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static void write(String text, Path file) throws IOException {
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file)) {
            {
                def.setLevel(Deflater.BEST_COMPRESSION);
            }
        }) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static Path file(Path module, Path source) {
        return module.resolve(TEXTS).resolve(name(source) + ENDING);
    }

    private static String name(Path source) {
        return source.getFileName().toString().replace(".cu", "");
    }

    /// First line of the PTX of this source as it is now: its name and the hash of it and the headers that it includes.
    static String stamp(Path source) throws IOException {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-256");
            for (Path file : withHeaders(source)) {
                hash.update(Files.readAllBytes(file));
            }
            return "// " + source.getFileName() + ", SHA-256 with its headers " + HexFormat.of().formatHex(hash.digest()) + "\n";
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
            String log = run("nvcc", "-ptx", "-std=c++17", "-arch=compute_80", "-o", output.toString(), source.toString());
            if (Files.size(output) == 0) {
                throw new IOException("nvcc " + source + ": " + log);
            }
            String body = Files.readString(output).lines()
                    .filter(l -> !l.startsWith("//"))
                    .map(l -> l.startsWith(".version") ? ".version 7.0" : l)
                    .collect(Collectors.joining("\n", "", "\n"));
            return stamp(source) + "// " + compiler().orElseThrow() + "\n" + body.stripLeading();
        } finally {
            Files.delete(output);
        }
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String log = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + log);
        }
        return log;
    }
}
