package dev.retrograd.unet.text;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Where a tokenizer's files come from: a folder, the resources of a jar, an archive.
@FunctionalInterface
public interface TokenizerFiles {
    /// Opens one file; the caller closes it.
    ///
    /// @param name a plain name such as `vocab.json`
    /// @return the content, or nothing if there is no such file
    Optional<InputStream> open(String name) throws IOException;

    /// @param folder may lie in any file system of `java.nio`, a mounted zip for one
    static TokenizerFiles in(Path folder) {
        return name -> {
            Path file = folder.resolve(name);
            return Files.isRegularFile(file) ? Optional.of(Files.newInputStream(file)) : Optional.empty();
        };
    }

    /// @param prefix the resources' folder inside the jar, with `/` between names and none at the ends
    static TokenizerFiles resources(ClassLoader loader, String prefix) {
        return name -> Optional.ofNullable(loader.getResourceAsStream(prefix + "/" + name));
    }
}
