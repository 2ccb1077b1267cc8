package dev.retrograd.core.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/// Collects tensors and writes them as one safetensors file, byte for byte as the upstream library lays it out: wide types first, then by
/// name, the header padded with spaces to a multiple of 8.
///
/// Equal contents give equal files whatever the order of adding; metadata keys are sorted. Not thread-safe.
public final class SafeTensorsWriter {
    private static final int CHUNK_BYTES = 1 << 20;
    private static final JsonFactory JSON = new JsonFactory();
    /// Upstream's order of element types, last one first.
    private static final List<DType> TYPE_ORDER = List.of(DType.I64, DType.F64, DType.F32, DType.I32, DType.BF16, DType.F16, DType.U8);

    private final Map<String, Entry> entries = new TreeMap<>();
    private final Map<String, String> metadata = new TreeMap<>();

    private record Entry(String name, Spec spec, AtomicFile.Content content) {
    }

    /// Adds a free-form string, such as `format` = `pt`, which some readers insist on.
    public SafeTensorsWriter metadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    /// Adds a tensor whose bytes are asked for when the file is written.
    ///
    /// @param bytes exactly as many little-endian bytes as the spec takes
    /// @throws IllegalArgumentException if the name is taken
    public SafeTensorsWriter add(String name, Spec spec, Supplier<MemorySegment> bytes) {
        return add(name, spec, out -> {
            MemorySegment segment = bytes.get();
            if (segment.byteSize() != spec.bytes()) {
                throw new ShapeException("safetensors: tensor '" + name + "' " + spec + " takes " + spec.bytes() + " bytes, got " + segment.byteSize());
            }
            copy(segment, out);
        });
    }

    /// Adds a float32 tensor.
    ///
    /// @throws ShapeException if there are not exactly as many values as elements
    public SafeTensorsWriter add(String name, Shape shape, float... values) {
        if (values.length != shape.elements()) {
            throw new ShapeException("safetensors: tensor '" + name + "' " + shape + " takes " + shape.elements() + " values, got " + values.length);
        }
        return add(name, new Spec(shape, DType.F32), () -> MemorySegment.ofArray(values));
    }

    /// Adds a backend's tensor, which must be alive when the file is written.
    public SafeTensorsWriter add(String name, Backend backend, Tensor tensor) {
        return add(name, tensor.spec(), out -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment host = arena.allocate(tensor.spec().bytes(), Long.BYTES);
                backend.download(tensor, host);
                copy(host, out);
            }
        });
    }

    private SafeTensorsWriter add(String name, Spec spec, AtomicFile.Content content) {
        if (name.equals(SafeTensorsHeader.METADATA) || entries.putIfAbsent(name, new Entry(name, spec, content)) != null) {
            throw new IllegalArgumentException("safetensors: tensor names must differ and not be " + SafeTensorsHeader.METADATA + ", got '" + name + "'");
        }
        return this;
    }

    /// Writes the file under a temporary name and renames it.
    ///
    /// @throws IOException if it cannot be written; names the file and the reason, and what was there before is untouched
    public void write(Path path) throws IOException {
        List<Entry> ordered = entries.values().stream()
                .sorted(Comparator.comparingInt((Entry e) -> TYPE_ORDER.indexOf(e.spec().dtype())).thenComparing(Entry::name)).toList();
        byte[] header = header(ordered);
        AtomicFile.write(path, out -> {
            out.write(header);
            for (Entry e : ordered) {
                e.content().writeTo(out);
            }
        });
    }

    private byte[] header(List<Entry> ordered) throws IOException {
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        try (JsonGenerator g = JSON.createGenerator(json)) {
            g.writeStartObject();
            if (!metadata.isEmpty()) {
                g.writeObjectFieldStart(SafeTensorsHeader.METADATA);
                for (Map.Entry<String, String> m : metadata.entrySet()) {
                    g.writeStringField(m.getKey(), m.getValue());
                }
                g.writeEndObject();
            }
            long position = 0;
            for (Entry e : ordered) {
                g.writeObjectFieldStart(e.name());
                g.writeStringField("dtype", e.spec().dtype().name());
                g.writeFieldName("shape");
                g.writeArray(e.spec().shape().toArray(), 0, e.spec().shape().rank());
                g.writeFieldName("data_offsets");
                g.writeArray(new long[] {position, position + e.spec().bytes()}, 0, 2);
                g.writeEndObject();
                position += e.spec().bytes();
            }
            g.writeEndObject();
        }
        int padded = Math.ceilDiv(json.size(), Long.BYTES) * Long.BYTES;
        ByteBuffer header = ByteBuffer.allocate(SafeTensorsHeader.LENGTH_BYTES + padded).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(padded).put(json.toByteArray());
        while (header.hasRemaining()) {
            header.put((byte) ' ');
        }
        return header.array();
    }

    private static void copy(MemorySegment from, OutputStream to) throws IOException {
        byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, from.byteSize())];
        for (long at = 0; at < from.byteSize(); at += chunk.length) {
            int count = (int) Math.min(chunk.length, from.byteSize() - at);
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, chunk, 0, count);
            to.write(chunk, 0, count);
        }
    }
}
