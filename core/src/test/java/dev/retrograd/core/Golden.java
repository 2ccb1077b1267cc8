package dev.retrograd.core;

import java.nio.file.Files;
import java.nio.file.Path;

/// The reference folders of `golden/` at the root of the repository: tensors computed by the upstream code.
///
/// Found upwards from the working directory, which Maven and IDEs set to the module's folder.
public final class Golden {

    private Golden() {}

    /// The repository's root folder.
    ///
    /// @throws IllegalStateException if no folder from the working directory upwards holds `golden/README.md`
    public static Path repository() {
        Path start = Path.of("").toAbsolutePath();
        for (Path folder = start; folder != null; folder = folder.getParent()) {
            if (Files.isRegularFile(folder.resolve("golden/README.md"))) {
                return folder;
            }
        }
        throw new IllegalStateException("golden: tests must run inside the repository, got working directory " + start);
    }

    /// A file or folder below `golden/`, for example `Golden.path("rng/reference.safetensors")`.
    ///
    /// @throws IllegalStateException if it does not exist
    public static Path path(String name) {
        Path path = repository().resolve("golden").resolve(name);
        if (!Files.exists(path)) {
            throw new IllegalStateException("golden: '" + name + "' must exist, got nothing at " + path);
        }
        return path;
    }
}
