package dev.retrograd.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.tukaani.xz.XZInputStream;

/// The PTX in this jar. The texts of a family, those of `matmul.cu`, `matmul_bf16.cu`, …, follow one another in one compressed resource, since they share
/// most of what they say. There, a register's number is the difference from that of the register of its kind that was named before it, `%f+1`: what a compiler
/// unrolled repeats itself then.
final class PtxText {
    static final String ENDING = ".ptx.xz";
    private static final String HOPPER = "_sm90";
    /// One of each family: their sources have the same headers.
    private static final List<String> COMPETING = List.of("matmul_bf16", "convolution_bf16", "attention_64", "matmul_sm90_bf16", "convolution_sm90_bf16", "attention_sm90_bf16");
    private static final Pattern DIFFERENCE = Pattern.compile("%([a-z]+)([+-]\\d+)");
    private static final Pattern FIRST_LINE = Pattern.compile("^// (\\w+)\\.cu, SHA-256 ", Pattern.MULTILINE);

    private PtxText() {
    }

    /// How the text of a module begins; the hash of its sources follows.
    static String beginning(String module) {
        return "// " + module + ".cu, SHA-256 ";
    }

    /// @param module name of the `.cu` file without its ending
    static String read(String module) {
        String resource = family(module) + ENDING;
        try (InputStream in = PtxText.class.getResourceAsStream(resource)) {
            String text = in == null ? null : packed(in).get(module);
            if (text == null) {
                throw new IllegalStateException("cuda: the PTX of " + module + ".cu is missing from the resource " + resource);
            }
            return numbered(text);
        } catch (IOException e) {
            throw new UncheckedIOException("cuda: the resource " + resource + " is damaged", e);
        }
    }

    /// What tells the kernels that compete with others from those of another version: a digest of the first lines of their modules, which have the hashes of the sources and the compiler.
    static String stamps() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String module : COMPETING) {
                read(module).lines().limit(2).forEach(line -> digest.update(line.getBytes(StandardCharsets.UTF_8)));
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /// What the names of a family's modules begin with: `matmul` of `matmul_bf16`, `matmul_sm90` of `matmul_sm90_bf16`.
    static String family(String module) {
        return module.split("_", 2)[0] + (hopper(module) ? HOPPER : "");
    }

    /// Whether the text of a module is for compute capability 9.0 and nothing else.
    static boolean hopper(String module) {
        return module.contains(HOPPER);
    }

    /// The text with numbers for differences.
    static String numbered(String packed) {
        Map<String, Integer> last = new HashMap<>();
        return DIFFERENCE.matcher(packed).replaceAll(m -> "%" + m.group(1) + last.merge(m.group(1), Integer.parseInt(m.group(2)), Integer::sum));
    }

    /// The texts of a family by their modules, in the order of names, with differences for numbers.
    static SequencedMap<String, String> packed(InputStream compressed) throws IOException {
        String all = new String(new XZInputStream(compressed).readAllBytes(), StandardCharsets.UTF_8);
        SequencedMap<String, String> texts = new TreeMap<>();
        MatchResult[] beginnings = FIRST_LINE.matcher(all).results().toArray(MatchResult[]::new);
        for (int i = 0; i < beginnings.length; i++) {
            int end = i + 1 < beginnings.length ? beginnings[i + 1].start() : all.length();
            texts.put(beginnings[i].group(1), all.substring(beginnings[i].start(), end));
        }
        return texts;
    }
}
