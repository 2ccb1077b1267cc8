package dev.retrograd.cuda;

import dev.retrograd.core.NoDeviceException;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;

/// The driver's library, which the host has or has not, and JCuda's, which calls it and lies in this program's jar.
final class NativeLibrary {
    private static final boolean WINDOWS = System.getProperty("os.name").startsWith("Windows");
    private static final String DRIVER = WINDOWS ? "nvcuda.dll" : "libcuda.so.1";
    private static final String JCUDA = WINDOWS ? "JCudaDriver-12.6.0-windows-x86_64.dll" : "libJCudaDriver-12.6.0-linux-x86_64.so";

    private NativeLibrary() {
    }

    /// The functions of the driver.
    ///
    /// @throws NoDeviceException if this host has no driver
    static SymbolLookup driver() {
        try {
            return SymbolLookup.libraryLookup(DRIVER, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new NoDeviceException("cuda: no NVIDIA driver was found (" + DRIVER + ")", e);
        }
    }

    /// Puts JCuda's library where JCuda looks for it, whole at once: JCuda itself would write it in place, under the eyes of other processes
    /// that start at the same time.
    ///
    /// @throws NoDeviceException if it cannot be written, or this platform has none
    static void unpack() {
        Path file = Path.of(System.getProperty("java.io.tmpdir"), JCUDA);
        try (InputStream in = NativeLibrary.class.getResourceAsStream("/lib/" + JCUDA)) {
            if (in == null) {
                throw new NoDeviceException("cuda: this program lacks " + JCUDA + ", with which it calls the driver");
            }
            if (!Files.exists(file)) {
                AtomicFile.write(file, in.readAllBytes());
            }
        } catch (IOException e) {
            throw new NoDeviceException("cuda: JCuda's library is needed in the folder of temporary files (" + e.getMessage() + ")", e);
        }
    }
}
