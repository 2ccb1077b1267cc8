package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/// Weights that live on a backend, seen as a file of float32 tensors in the ecosystem's layout: kernels `[O,I,Kh,Kw]`. It owns none of them.
public final class ParameterFile implements TensorFile {
    private static final int KERNEL_RANK = 4;

    private final String source;
    private final Backend backend;
    private final Map<String, Parameter> byName = new TreeMap<>();

    /// @param source what messages call it
    public ParameterFile(String source, Backend backend, Collection<Parameter> parameters) {
        this.source = source;
        this.backend = backend;
        parameters.forEach(p -> byName.put(p.name(), p));
    }

    @Override public String source() {
        return source;
    }

    @Override public Set<String> names() {
        return Collections.unmodifiableSet(byName.keySet());
    }

    private Parameter parameter(String name) throws ModelFormatException {
        Parameter p = byName.get(name);
        if (p == null) {
            throw new ModelFormatException(source + ": tensor '" + name + "' is required, but there is none among its " + byName.size());
        }
        return p;
    }

    @Override public Spec spec(String name) throws ModelFormatException {
        return new Spec(parameter(name).fileShape(), DType.F32);
    }

    /// The values as they are now, copied.
    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        Parameter p = parameter(name);
        boolean kernel = p.fileShape().rank() == KERNEL_RANK && p.spec().shape().rank() == KERNEL_RANK;
        return MemorySegment.ofArray(kernel ? Layout.channelsFirst(backend, p.value()) : backend.toFloats(p.value()));
    }

    /// Writes them as a safetensors file.
    ///
    /// @throws IOException if it cannot be written; what was there before is untouched
    public void write(Path file) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        for (String name : names()) {
            writer.add(name, spec(name), () -> {
                try {
                    return bytes(name);
                } catch (ModelFormatException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        writer.write(file);
    }

    /// Leaves the weights as they are.
    @Override public void close() {
    }
}
