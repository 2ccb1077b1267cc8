package dev.retrograd.core.io;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/// A safetensors file, mapped into memory: nothing is read before it is asked for, and files may exceed 2 GiB.
///
/// The header is checked as a whole when the file is opened; a damaged one is refused with the file, the tensor and the reason. Numbers are
/// little-endian. All methods that take a name throw {@link ModelFormatException} if there is no such tensor.
public final class SafeTensors implements TensorFile {
    private final String source;
    private final Arena arena;
    private final MemorySegment file;
    private final SafeTensorsHeader header;

    private SafeTensors(String source, Arena arena, MemorySegment file) throws ModelFormatException {
        this.source = source;
        this.arena = arena;
        this.file = file.asReadOnly();
        header = SafeTensorsHeader.read(source, this.file);
    }

    /// Opens a file; close it when its tensors have been loaded.
    ///
    /// @throws ModelFormatException if there is no such file or it is damaged
    /// @throws IOException if it cannot be read
    public static SafeTensors open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new ModelFormatException(path + ": a safetensors file is required, but " + (Files.exists(path) ? "this is none" : "there is none"));
        }
        Arena arena = Arena.ofShared();
        boolean opened = false;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            SafeTensors tensors = new SafeTensors(path.toString(), arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
            opened = true;
            return tensors;
        } finally {
            if (!opened) {
                arena.close();
            }
        }
    }

    /// Reads a file that is in memory already, such as a resource of the jar.
    ///
    /// @param source what messages call it
    /// @throws ModelFormatException if it is damaged
    public static SafeTensors of(String source, byte[] content) throws ModelFormatException {
        return of(source, MemorySegment.ofArray(content));
    }

    /// Reads a file that is in memory already; the segment must outlive this object.
    ///
    /// @param source what messages call it
    /// @throws ModelFormatException if it is damaged
    public static SafeTensors of(String source, MemorySegment content) throws ModelFormatException {
        return new SafeTensors(source, Arena.ofShared(), content);
    }

    /// What messages call the file.
    @Override public String source() {
        return source;
    }

    /// Names of all tensors in the order of the data, also of those whose element type is not read.
    @Override public Set<String> names() {
        return Collections.unmodifiableSet(header.entries().keySet());
    }

    /// The free-form strings of the header.
    @Override public Map<String, String> metadata() {
        return Collections.unmodifiableMap(header.metadata());
    }

    /// Shape and element type of a tensor.
    ///
    /// @throws ModelFormatException if its element type is not one of {@link DType}
    @Override public Spec spec(String name) throws ModelFormatException {
        SafeTensorsHeader.Entry entry = entry(name);
        return new Spec(entry.shape(), TensorBytes.dtype(source, name, entry.dtype()));
    }

    @Override public Shape shape(String name) throws ModelFormatException {
        return entry(name).shape();
    }

    /// A tensor's bytes as they are in the file, of any element type; read-only, valid until the file is closed.
    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        SafeTensorsHeader.Entry entry = entry(name);
        return file.asSlice(entry.begin(), entry.end() - entry.begin());
    }

    private SafeTensorsHeader.Entry entry(String name) throws ModelFormatException {
        SafeTensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " is required, but there is none among its " + header.entries().size());
        }
        return entry;
    }

    /// Unmaps the file; slices from {@link #bytes} are invalid afterwards.
    @Override public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
