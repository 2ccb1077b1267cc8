package dev.retrograd.core.io;

import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.Unpickler.StorageReference;
import dev.retrograd.core.io.Unpickler.TensorReference;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A PyTorch checkpoint (`.pt`, `.pth`, `.bin`, `.ckpt`), mapped into memory: the tensors of the dictionary that it holds, or of that under its
/// key `state_dict`.
///
/// Both formats of `torch.save` are read: the zip archive of torch 1.6 and later, and the stream of pickles before. Tensors are rebuilt and
/// nothing else ({@link Unpickler}): no class is looked up, nothing is executed, and what lies outside the list is refused by name.
public final class PyTorchFile implements TensorFile {
    private static final String STATE = "state_dict";
    private static final BigInteger LEGACY_MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
    private static final long LEGACY_VERSION = 1001;
    private static final int PROTO = 0x80;
    private static final int MAX_RANK = 64;
    private static final Map<String, Integer> BYTES = Map.of("F64", 8, "F32", 4, "F16", 2, "BF16", 2, "I64", 8, "I32", 4, "I16", 2, "I8", 1, "U8", 1, "BOOL", 1);

    /// @param data of the whole storage
    private record Entry(String dtype, Shape shape, long[] strides, long offset, MemorySegment data) {
        int elementBytes() {
            return BYTES.get(dtype);
        }

        boolean contiguous() {
            long stride = 1;
            for (int i = strides.length - 1; i >= 0; i--) {
                if (shape.dim(i) != 1 && strides[i] != stride) {
                    return false;
                }
                stride *= shape.dim(i);
            }
            return true;
        }
    }

    private final String source;
    private final Arena arena;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> scalars = new LinkedHashMap<>();

    private PyTorchFile(String source, Arena arena, MemorySegment file) throws ModelFormatException {
        this.source = source;
        this.arena = arena;
        byte[] start = file.asSlice(0, Math.min(file.byteSize(), TensorBytes.MAGIC_BYTES)).toArray(ValueLayout.JAVA_BYTE);
        if (!startsLike(start)) {
            throw new ModelFormatException(source + ": a PyTorch checkpoint starts as a zip archive or a pickle does, got other bytes");
        }
        if (ZipEntries.startsLike(start)) {
            readZip(file.asReadOnly());
        } else {
            readLegacy(file.asReadOnly());
        }
    }

    /// Opens a file; close it when its tensors have been loaded.
    ///
    /// @throws ModelFormatException if there is no such file, it is damaged, or it holds what is not read
    /// @throws IOException if it cannot be read
    public static PyTorchFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new ModelFormatException(path + ": a PyTorch checkpoint is required, but " + (Files.exists(path) ? "this is none" : "there is none"));
        }
        Arena arena = Arena.ofShared();
        boolean opened = false;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            PyTorchFile tensors = new PyTorchFile(path.toString(), arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
            opened = true;
            return tensors;
        } finally {
            if (!opened) {
                arena.close();
            }
        }
    }

    /// Reads a file that is in memory already.
    ///
    /// @param source what messages call it
    /// @throws ModelFormatException if it is damaged, or holds what is not read
    public static PyTorchFile of(String source, byte[] content) throws ModelFormatException {
        return new PyTorchFile(source, Arena.ofShared(), MemorySegment.ofArray(content));
    }

    /// Whether a file's first bytes are those of a checkpoint: a zip archive, or a pickle. A safetensors file has a brace at byte 8.
    static boolean startsLike(byte[] start) {
        boolean safetensors = start.length > 8 && start[8] == '{';
        return !safetensors && (ZipEntries.startsLike(start) || start.length > 1 && (start[0] & 0xFF) == PROTO);
    }

    private void readZip(MemorySegment file) throws ModelFormatException {
        Map<String, MemorySegment> files = ZipEntries.read(source, file);
        String pickle = files.keySet().stream().filter(n -> n.equals("data.pkl") || n.endsWith("/data.pkl")).findFirst()
                .orElseThrow(() -> new ModelFormatException(source + ": a PyTorch checkpoint has a data.pkl, got a zip archive of " + files.size() + " other files"));
        String root = pickle.substring(0, pickle.length() - "data.pkl".length());
        MemorySegment order = files.get(root + "byteorder");
        if (order != null && order.byteSize() <= 16) {
            String name = new String(order.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII).strip();
            require(name.equals("little"), "the byte order must be little, got " + SafeTensorsHeader.shown(name));
        }
        Object top = new Unpickler(source, files.get(pickle), 0).read();
        collect(top, key -> files.get(root + "data/" + key));
    }

    private void readLegacy(MemorySegment file) throws ModelFormatException {
        Unpickler magic = new Unpickler(source, file, 0);
        require(LEGACY_MAGIC.equals(magic.read()), "a PyTorch checkpoint starts with torch's number, got another pickle");
        Unpickler version = new Unpickler(source, file, magic.end());
        require(version.read() instanceof Long v && v == LEGACY_VERSION, "the checkpoint's version must be " + LEGACY_VERSION + ", got another");
        Unpickler system = new Unpickler(source, file, version.end());
        require(system.read() instanceof Map<?, ?> m && Boolean.TRUE.equals(m.get("little_endian")), "the byte order must be little, got another");
        Unpickler top = new Unpickler(source, file, system.end());
        Object value = top.read();
        Unpickler keys = new Unpickler(source, file, top.end());
        Object listed = keys.read();
        require(listed instanceof List<?>, "the checkpoint must list its storages, got no list");
        collect(value, legacyStorages(file, keys.end(), (List<?>) listed, top.storages())::get);
    }

    /// After the pickles: for each storage its number of elements in 64 bits, and the elements.
    ///
    /// @param types of their elements, by key
    private Map<String, MemorySegment> legacyStorages(MemorySegment file, long start, List<?> keys, Map<String, String> types) throws ModelFormatException {
        Map<String, MemorySegment> storages = new HashMap<>();
        long at = start;
        for (Object key : keys) {
            require(key instanceof String k && types.containsKey(k), "the checkpoint must list storages that its tensors use, got another");
            int bytes = BYTES.get(types.get(key));
            String storage = "storage " + SafeTensorsHeader.shown((String) key);
            require(file.byteSize() - at >= Long.BYTES, storage + " must lie in the file, starts at byte " + at + ", file has " + file.byteSize());
            long count = file.get(TensorBytes.LONG, at);
            at += Long.BYTES;
            require(count >= 0 && count <= (file.byteSize() - at) / bytes, storage + " of " + Long.toUnsignedString(count) + " elements at byte " + at
                    + " must lie in the file, which has " + file.byteSize());
            storages.put((String) key, file.asSlice(at, count * bytes));
            at += count * bytes;
        }
        return storages;
    }

    /// The tensors of a dictionary, by name.
    private Map<String, TensorReference> references(Object top) throws ModelFormatException {
        require(top instanceof Map<?, ?>, "the checkpoint must hold a dictionary of tensors, got something else");
        ((Map<?, ?>) top).forEach((name, value) -> {
            if (value instanceof Number || value instanceof String) {
                scalars.put((String) name, value.toString());
            }
        });
        Map<?, ?> dictionary = ((Map<?, ?>) top).get(STATE) instanceof Map<?, ?> inner ? inner : (Map<?, ?>) top;
        Map<String, TensorReference> tensors = new LinkedHashMap<>();
        dictionary.forEach((name, value) -> {
            if (value instanceof TensorReference t) {
                tensors.put((String) name, t);
            }
        });
        require(!tensors.isEmpty(), "the checkpoint must hold tensors, or a '" + STATE + "' with tensors, got neither");
        return tensors;
    }

    @FunctionalInterface private interface Storages {
        MemorySegment of(String key);
    }

    private void collect(Object top, Storages storages) throws ModelFormatException {
        for (Map.Entry<String, TensorReference> e : references(top).entrySet()) {
            entries.put(e.getKey(), entry("tensor " + SafeTensorsHeader.shown(e.getKey()), e.getValue(), storages));
        }
    }

    private Entry entry(String tensor, TensorReference t, Storages storages) throws ModelFormatException {
        StorageReference s = t.storage();
        MemorySegment data = storages.of(s.key());
        require(data != null, tensor + " lies in storage " + SafeTensorsHeader.shown(s.key()) + ", but the file has none");
        int bytes = BYTES.get(s.elements());
        require(s.count() <= data.byteSize() / bytes, tensor + " lies in a storage of " + s.count() + " " + s.elements() + ", but the file has " + data.byteSize() + " bytes of it");
        require(t.sizes().length == t.strides().length && t.sizes().length <= MAX_RANK, tensor + " must have a stride for each of at most " + MAX_RANK + " sizes, got "
                + t.sizes().length + " sizes and " + t.strides().length + " strides");
        require(t.offset() >= 0 && t.offset() <= s.count(), tensor + " must start in its storage of " + s.count() + " elements, got offset " + t.offset());
        int[] dims = new int[t.sizes().length];
        for (int i = 0; i < dims.length; i++) {
            require(t.sizes()[i] >= 0 && t.sizes()[i] <= Integer.MAX_VALUE && t.strides()[i] >= 0, tensor + " must have sizes 0..2^31-1 and strides of 0 or more, got "
                    + t.sizes()[i] + " and " + t.strides()[i]);
            dims[i] = (int) t.sizes()[i];
        }
        require(Arrays.stream(dims).anyMatch(d -> d == 0) || fits(t), tensor + " " + Arrays.toString(dims) + " by strides " + Arrays.toString(t.strides()) + " from " + t.offset()
                + " must lie in its storage of " + s.count() + " elements, each once");
        return new Entry(s.elements(), Shape.of(dims), t.strides(), t.offset(), data);
    }

    /// Whether a tensor with elements ends within its storage and has no more of them.
    private static boolean fits(TensorReference t) {
        long count = t.storage().count();
        long elements = 1;
        long last = t.offset();
        for (int i = 0; i < t.sizes().length; i++) {
            long size = t.sizes()[i];
            long room = count - 1 - last;
            if (elements > count / size || room < 0 || size > 1 && t.strides()[i] > room / (size - 1)) {
                return false;
            }
            elements *= size;
            last += (size - 1) * t.strides()[i];
        }
        return last < count;
    }

    private void require(boolean condition, String otherwise) throws ModelFormatException {
        if (!condition) {
            throw new ModelFormatException(source + ": " + otherwise);
        }
    }

    @Override public String source() {
        return source;
    }

    @Override public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    private Entry find(String name) throws ModelFormatException {
        Entry entry = entries.get(name);
        require(entry != null, "tensor " + SafeTensorsHeader.shown(name) + " is required, but there is none among its " + entries.size());
        return entry;
    }

    @Override public Spec spec(String name) throws ModelFormatException {
        Entry entry = find(name);
        return new Spec(entry.shape(), TensorBytes.dtype(source, name, entry.dtype()));
    }

    @Override public Shape shape(String name) throws ModelFormatException {
        return find(name).shape();
    }

    /// The numbers and texts that lie beside the tensors or their `state_dict`, such as `global_step`.
    @Override public Map<String, String> metadata() {
        return Collections.unmodifiableMap(scalars);
    }

    /// A slice of the file, or a copy of a tensor whose elements lie in another order there.
    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        Entry e = find(name);
        int size = e.elementBytes();
        long count = e.shape().elements();
        if (e.contiguous() || count == 0) {
            return e.data().asSlice(e.offset() * size, count * size);
        }
        require(count * size <= Integer.MAX_VALUE - 8, "tensor " + SafeTensorsHeader.shown(name) + " is laid out in another order than its axes and must have less than 2^31 bytes, got " + count * size);
        MemorySegment copy = MemorySegment.ofArray(new byte[(int) (count * size)]);
        int[] index = new int[e.strides().length];
        for (long i = 0; i < count; i++) {
            long from = e.offset();
            for (int axis = 0; axis < index.length; axis++) {
                from += index[axis] * e.strides()[axis];
            }
            MemorySegment.copy(e.data(), from * size, copy, i * size, size);
            for (int axis = index.length - 1; axis >= 0 && ++index[axis] == e.shape().dim(axis); axis--) {
                index[axis] = 0;
            }
        }
        return copy.asReadOnly();
    }

    @Override public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
