package dev.retrograd.trainer;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.pretrain.ModelFolder;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/// The miniature model inside the jar with its rewards, unpacked into a temporary folder while it is open: weights are read by mapping files.
///
/// `retrograd pretrain` builds and packs it; what it consists of is {@link ModelFolder}'s.
public final class EmbeddedModel implements AutoCloseable {
    /// What {@link #pack} writes and the jar carries.
    public static final String ARCHIVE = "miniature.zip";
    /// Parts of a pretraining's folder that a user of the model needs.
    private static final List<String> PARTS = List.of("clip", "judge", "model", "preference", "report.json");
    private static final String WEIGHTS = ".safetensors";
    /// Ends the names of entries that hold {@link BytePlanes}.
    private static final String PLANES = ".planes";
    /// One date for all entries, so that equal models make equal archives.
    private static final LocalDateTime DATE = LocalDateTime.of(2026, 1, 1, 0, 0);

    private final ModelFolder files;

    private EmbeddedModel(Path root) {
        files = new ModelFolder(root);
    }

    /// @throws IOException if the temporary folder cannot be written
    public static EmbeddedModel unpack() throws IOException {
        EmbeddedModel model = new EmbeddedModel(Files.createTempDirectory("retrograd-model-"));
        boolean done = false;
        try (InputStream archive = EmbeddedModel.class.getResourceAsStream(ARCHIVE)) {
            if (archive == null) {
                throw new IOException("the jar lacks " + ARCHIVE + "; it is damaged, build it again");
            }
            ZipInputStream zip = new ZipInputStream(archive);
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                boolean planes = entry.getName().endsWith(PLANES);
                String name = planes ? entry.getName().substring(0, entry.getName().length() - PLANES.length()) : entry.getName();
                Path target = model.files.root().resolve(name);
                Files.createDirectories(target.getParent());
                byte[] content = zip.readAllBytes();
                Files.write(target, planes ? BytePlanes.join(ARCHIVE + "/" + name, content) : content);
            }
            done = true;
            return model;
        } finally {
            if (!done) {
                model.close();
            }
        }
    }

    /// SHA-256 of the archive, in hexadecimal: another model, another digest.
    ///
    /// @throws IOException if the jar lacks it
    public static String digest() throws IOException {
        try (InputStream archive = EmbeddedModel.class.getResourceAsStream(ARCHIVE)) {
            if (archive == null) {
                throw new IOException("the jar lacks " + ARCHIVE + "; it is damaged, build it again");
            }
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(archive.readAllBytes()));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /// Whether a pretraining's folder has every part by now.
    public static boolean isComplete(Path pretrained) {
        return PARTS.stream().allMatch(part -> Files.exists(pretrained.resolve(part)));
    }

    /// Of weights hardly a string comes twice by more than chance, so symbols are worth coding more than matches: 2 % off.
    private static final class PlaneZip extends ZipOutputStream {
        PlaneZip(OutputStream out) {
            super(out);
            def.setStrategy(Deflater.FILTERED);
        }
    }

    /// Packs a finished pretraining's folder as the jar carries it.
    ///
    /// @param pretrained folder that `pretrain` filled
    /// @throws IOException if a part is missing or the archive cannot be written
    public static void pack(Path pretrained, Path archive) throws IOException {
        List<Path> all = new ArrayList<>();
        for (String part : PARTS) {
            try (Stream<Path> found = Files.walk(pretrained.resolve(part))) {
                found.filter(Files::isRegularFile).sorted().forEach(all::add);
            }
        }
        AtomicFile.write(archive, out -> {
            ZipOutputStream zip = new PlaneZip(out);
            zip.setLevel(Deflater.BEST_COMPRESSION);
            for (Path file : all) {
                String name = pretrained.relativize(file).toString().replace('\\', '/');
                boolean planes = name.endsWith(WEIGHTS);
                byte[] content = Files.readAllBytes(file);
                ZipEntry entry = new ZipEntry(planes ? name + PLANES : name);
                entry.setTimeLocal(DATE);
                zip.putNextEntry(entry);
                zip.write(planes ? BytePlanes.split(file.toString(), content) : content);
                zip.closeEntry();
            }
            zip.finish();
        });
    }

    /// Where its parts lie.
    public ModelFolder files() {
        return files;
    }

    @Override public void close() throws IOException {
        OutputFolder.deleteTree(files.root());
    }
}
