package dev.retrograd.trainer.verify;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A folder of reference tensors: `checks.json`, a safetensors file, and often a model.
final class ReferenceFolder implements AutoCloseable {
    private static final String CHECKS = "checks.json";
    private static final int FORMAT = 1;

    private final Path folder;
    private final SafeTensors reference;
    private final List<Check> checks;

    private ReferenceFolder(Path folder, SafeTensors reference, List<Check> checks) {
        this.folder = folder;
        this.reference = reference;
        this.checks = checks;
    }

    /// @throws ModelFormatException if it is none, has another format, or a file lies outside; the message names it
    static ReferenceFolder open(Path given) throws IOException {
        Path folder = given.toAbsolutePath().normalize();
        Path file = folder.resolve(CHECKS);
        if (!Files.isRegularFile(file)) {
            throw new ModelFormatException(given + ": a folder of reference tensors with a " + CHECKS + " is required, but there is none");
        }
        ModelConfig c = ModelConfig.read(file);
        int format = c.integer("format", 0);
        if (format != FORMAT) {
            throw c.refuse("'format' must be " + FORMAT + ", got " + format);
        }
        String model = c.text("model", "");
        List<Check> checks = new ArrayList<>();
        for (ModelConfig check : c.objects("checks")) {
            checks.add(Check.of(check, model));
        }
        if (checks.isEmpty()) {
            throw c.refuse("'checks' must hold at least one check");
        }
        Path tensors = resolve(folder, c.text("reference", "reference.safetensors"));
        c.done();
        return new ReferenceFolder(folder, SafeTensors.open(tensors), checks);
    }

    List<Check> checks() {
        return checks;
    }

    SafeTensors reference() {
        return reference;
    }

    /// A file or folder that `checks.json` names.
    Path resolve(String name) throws ModelFormatException {
        return resolve(folder, name);
    }

    /// Reference folders share models with their neighbours, so a path may lead there, and no further.
    private static Path resolve(Path folder, String name) throws ModelFormatException {
        Path path = folder.resolve(name).normalize();
        Path limit = folder.getParent() == null ? folder : folder.getParent();
        if (name.isEmpty() || Path.of(name).isAbsolute() || !path.startsWith(limit)) {
            throw new ModelFormatException(folder.resolve(CHECKS) + ": files must lie in the folder or beside it, got '" + name + "'");
        }
        return path;
    }

    @Override public void close() {
        reference.close();
    }
}
