package dev.retrograd.core.io;

import dev.retrograd.core.io.PickledClass.Role;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Reads the part of Python's pickle format that checkpoints of tensors are written in, and builds nothing but plain values and descriptions of
/// tensors: no class is looked up and nothing is called.
///
/// Whatever lies outside is refused by name: opcodes by their number, classes by module and name ({@link PickledClass}). Source: the opcode
/// table of CPython's `Lib/pickletools.py`, protocols 2 to 5.
final class Unpickler {
    /// A state dictionary of a thousand tensors takes 0.2 MB.
    private static final long MAX_BYTES = 1 << 24;
    /// Each makes at most one small object, so this bounds the heap that a hostile file can take.
    private static final int MAX_OPCODES = 1 << 22;
    private static final int MAX_NESTING = 1000;
    private static final int MAX_PROTOCOL = 5;

    /// A value that nobody reads.
    enum Plain {
        NONE, BOOKKEEPING, BYTES
    }

    /// A pickled tuple.
    record Tuple(List<Object> items) {
        int size() {
            return items.size();
        }

        Object get(int i) {
            return items.get(i);
        }
    }

    /// Where a tensor's elements lie.
    ///
    /// @param key names it within the file
    /// @param elements the safetensors name of their type
    record StorageReference(String key, String elements, long count) {
    }

    /// A tensor: `elements[offset + Σ index·stride]` of a storage.
    record TensorReference(StorageReference storage, long offset, long[] sizes, long[] strides) {
    }

    private final String source;
    private final MemorySegment file;
    private final long limit;
    private long at;
    private int opcodes;
    private List<Object> stack = new ArrayList<>();
    private final Deque<List<Object>> marked = new ArrayDeque<>();
    private final Map<Long, Object> memo = new HashMap<>();
    private final Map<String, String> storages = new HashMap<>();

    /// @param at first byte of the pickle
    Unpickler(String source, MemorySegment file, long at) {
        this.source = source;
        this.file = file;
        this.at = at;
        limit = Math.min(file.byteSize(), at + MAX_BYTES);
    }

    /// The byte after the pickle that was read.
    long end() {
        return at;
    }

    /// The element types of the storages that were referred to, by key.
    Map<String, String> storages() {
        return storages;
    }

    private ModelFormatException refuse(String reason) {
        return new ModelFormatException(source + ": " + reason);
    }

    /// Reads one pickle, up to its end mark.
    Object read() throws ModelFormatException {
        while (true) {
            if (++opcodes > MAX_OPCODES) {
                throw refuse("the pickle must have at most " + MAX_OPCODES + " opcodes, got more");
            }
            int opcode = u8();
            if (opcode == '.') {
                return pop();
            }
            step(opcode);
        }
    }

    private void step(int opcode) throws ModelFormatException {
        switch (opcode) {
            case 0x80 -> protocol();
            case 0x95 -> take(8);
            case '(' -> mark();
            case '0' -> pop();
            case '1' -> toMark();
            case '2' -> push(peek());
            case 'N' -> push(Plain.NONE);
            case 0x88 -> push(true);
            case 0x89 -> push(false);
            case 'K' -> push((long) u8());
            case 'M' -> push((long) u16());
            case 'J' -> push((long) (int) u32());
            case 0x8a -> push(integer(u8()));
            case 'G' -> push(file.get(ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), take(8)));
            case 'X' -> push(text(u32()));
            case 0x8c, 'U' -> push(text(u8()));
            case 'T' -> push(text(u32()));
            case 0x8d -> push(text(u64()));
            case 'C' -> bytes(u8());
            case 'B' -> bytes(u32());
            case 0x8e -> bytes(u64());
            case ']', 0x8f -> push(new ArrayList<>());
            case '}' -> push(new LinkedHashMap<String, Object>());
            case ')' -> push(new Tuple(List.of()));
            case 0x85 -> tuple(1);
            case 0x86 -> tuple(2);
            case 0x87 -> tuple(3);
            case 't', 0x91 -> push(new Tuple(toMark()));
            case 'l' -> push(toMark());
            case 'd' -> put(new LinkedHashMap<>(), toMark());
            case 'a' -> append(List.of(pop()));
            case 'e', 0x90 -> append(toMark());
            case 's' -> setItem();
            case 'u' -> setItems(toMark());
            case 'q' -> memo.put((long) u8(), peek());
            case 'r' -> memo.put(u32(), peek());
            case 0x94 -> memo.put((long) memo.size(), peek());
            case 'h' -> recall(u8());
            case 'j' -> recall(u32());
            case 'c' -> global(line(), line());
            case 0x93 -> globalFromStack();
            case 'Q' -> push(storage(pop()));
            case 'R', 0x81 -> reduce();
            case 'b' -> build();
            default -> throw refuse("a checkpoint's pickle may not use opcode 0x" + Integer.toHexString(opcode)
                    + (opcode > ' ' && opcode < 0x7f ? " '" + (char) opcode + "'" : "") + ", got it at byte " + (at - 1));
        }
    }

    // Bytes

    private long take(long count) throws ModelFormatException {
        if (count < 0 || count > limit - at) {
            throw refuse("the pickle ends at byte " + limit + (limit < file.byteSize() ? " (the longest that is read)" : "") + ", but needs "
                    + Long.toUnsignedString(count) + " more bytes at byte " + at);
        }
        long start = at;
        at += count;
        return start;
    }

    private int u8() throws ModelFormatException {
        return file.get(ValueLayout.JAVA_BYTE, take(1)) & 0xFF;
    }

    private int u16() throws ModelFormatException {
        return file.get(TensorBytes.SHORT, take(2)) & 0xFFFF;
    }

    private long u32() throws ModelFormatException {
        return file.get(TensorBytes.INT, take(4)) & 0xFFFF_FFFFL;
    }

    private long u64() throws ModelFormatException {
        return file.get(TensorBytes.LONG, take(8));
    }

    private byte[] array(long count) throws ModelFormatException {
        long start = take(count);
        return file.asSlice(start, count).toArray(ValueLayout.JAVA_BYTE);
    }

    private String text(long count) throws ModelFormatException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(array(count))).toString();
        } catch (CharacterCodingException e) {
            throw refuse("the pickle's texts must be UTF-8, got other bytes before byte " + at);
        }
    }

    private void bytes(long count) throws ModelFormatException {
        take(count);
        push(Plain.BYTES);
    }

    private String line() throws ModelFormatException {
        long start = at;
        while (u8() != '\n') {
            continue;
        }
        return new String(file.asSlice(start, at - 1 - start).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
    }

    /// Two's complement, little-endian; a `Long` where it fits.
    private Object integer(int count) throws ModelFormatException {
        byte[] bytes = array(count);
        for (int i = 0; i < count / 2; i++) {
            byte b = bytes[i];
            bytes[i] = bytes[count - 1 - i];
            bytes[count - 1 - i] = b;
        }
        BigInteger value = count == 0 ? BigInteger.ZERO : new BigInteger(bytes);
        return value.bitLength() < Long.SIZE ? value.longValue() : value;
    }

    private void protocol() throws ModelFormatException {
        int version = u8();
        if (version > MAX_PROTOCOL) {
            throw refuse("the pickle's protocol must be at most " + MAX_PROTOCOL + ", got " + version);
        }
    }

    // Stack

    private void push(Object value) {
        stack.add(value);
    }

    private Object pop() throws ModelFormatException {
        if (stack.isEmpty()) {
            throw refuse("the pickle takes a value that is not there before byte " + at);
        }
        return stack.removeLast();
    }

    private Object peek() throws ModelFormatException {
        Object top = pop();
        push(top);
        return top;
    }

    private void mark() throws ModelFormatException {
        if (marked.size() >= MAX_NESTING) {
            throw refuse("the pickle must be nested at most " + MAX_NESTING + " deep, got more");
        }
        marked.push(stack);
        stack = new ArrayList<>();
    }

    private List<Object> toMark() throws ModelFormatException {
        if (marked.isEmpty()) {
            throw refuse("the pickle closes what it did not open before byte " + at);
        }
        List<Object> items = stack;
        stack = marked.pop();
        return items;
    }

    private void tuple(int size) throws ModelFormatException {
        Object[] items = new Object[size];
        for (int i = size - 1; i >= 0; i--) {
            items[i] = pop();
        }
        push(new Tuple(List.of(items)));
    }

    private void recall(long key) throws ModelFormatException {
        Object value = memo.get(key);
        if (value == null) {
            throw refuse("the pickle recalls value " + key + ", which it never kept, before byte " + at);
        }
        push(value);
    }

    // Containers

    private <T> T expect(Class<T> type, Object value, String what) throws ModelFormatException {
        if (!type.isInstance(value)) {
            throw refuse("the pickle must have " + what + " before byte " + at + ", got " + kind(value));
        }
        return type.cast(value);
    }

    /// What messages call a value; never its content, which may contain itself.
    private static String kind(Object value) {
        return switch (value) {
            case PickledClass c -> c.toString();
            case Plain p -> p.name().toLowerCase(Locale.ROOT);
            default -> value.getClass().getSimpleName();
        };
    }

    @SuppressWarnings("unchecked")
    private void append(List<Object> items) throws ModelFormatException {
        if (peek() != Plain.BOOKKEEPING) {
            ((List<Object>) expect(List.class, peek(), "a list")).addAll(items);
        }
    }

    private void setItem() throws ModelFormatException {
        Object value = pop();
        setItems(List.of(pop(), value));
    }

    @SuppressWarnings("unchecked")
    private void setItems(List<Object> items) throws ModelFormatException {
        Object target = pop();
        if (target == Plain.BOOKKEEPING) {
            push(target);
        } else {
            put((Map<String, Object>) expect(Map.class, target, "a dictionary"), items);
        }
    }

    /// Keys that are no texts, such as an optimiser's numbers, are left out: no tensor of a model is named so.
    private void put(Map<String, Object> target, List<Object> items) throws ModelFormatException {
        if (items.size() % 2 != 0) {
            throw refuse("the pickle's dictionaries must have a value for each key, got a key alone before byte " + at);
        }
        for (int i = 0; i < items.size(); i += 2) {
            if (items.get(i) instanceof String key) {
                target.put(key, items.get(i + 1));
            }
        }
        push(target);
    }

    // Objects

    private void globalFromStack() throws ModelFormatException {
        Object name = pop();
        Object module = pop();
        global(expect(String.class, module, "a module's name"), expect(String.class, name, "a class's name"));
    }

    private void global(String module, String name) throws ModelFormatException {
        push(PickledClass.of(module, name).orElseThrow(() -> refuse("a checkpoint's pickle may not mention the class "
                + SafeTensorsHeader.shown(module + "." + name) + "; only tensors are read, and nothing is executed")));
    }

    private void reduce() throws ModelFormatException {
        Tuple arguments = expect(Tuple.class, pop(), "arguments");
        Object function = pop();
        if (function == Plain.BOOKKEEPING) {
            push(Plain.BOOKKEEPING);
            return;
        }
        PickledClass c = expect(PickledClass.class, function, "a class");
        push(switch (c.role()) {
            case DICTIONARY -> {
                require(arguments.size() == 0, c, arguments);
                yield new LinkedHashMap<String, Object>();
            }
            case SIZE -> {
                require(arguments.size() == 1 && arguments.get(0) instanceof Tuple, c, arguments);
                yield arguments.get(0);
            }
            case TENSOR, TENSOR_WITHOUT_FLAGS -> tensor(c, arguments);
            case PARAMETER -> {
                require(arguments.size() >= 1 && arguments.get(0) instanceof TensorReference, c, arguments);
                yield arguments.get(0);
            }
            case BOOKKEEPING -> Plain.BOOKKEEPING;
            case STORAGE -> throw refuse("the pickle may not build a " + c + " itself, only refer to one of the file");
        });
    }

    private void require(boolean condition, PickledClass c, Tuple arguments) throws ModelFormatException {
        if (!condition) {
            throw refuse("the pickle gives " + c + " other arguments than torch writes, got " + arguments.items().stream().map(Unpickler::kind).toList());
        }
    }

    private TensorReference tensor(PickledClass c, Tuple a) throws ModelFormatException {
        require(a.size() >= (c.role() == Role.TENSOR ? 6 : 4) && a.get(0) instanceof StorageReference && a.get(1) instanceof Long
                && a.get(2) instanceof Tuple && a.get(3) instanceof Tuple, c, a);
        return new TensorReference((StorageReference) a.get(0), (Long) a.get(1), numbers((Tuple) a.get(2)), numbers((Tuple) a.get(3)));
    }

    private long[] numbers(Tuple t) throws ModelFormatException {
        long[] values = new long[t.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = expect(Long.class, t.get(i), "whole sizes and strides");
        }
        return values;
    }

    /// A persistent id, `('storage', type, key, location, count[, view])`.
    private StorageReference storage(Object id) throws ModelFormatException {
        if (id instanceof Tuple t && (t.size() == 5 || t.size() == 6 && t.get(5) == Plain.NONE) && "storage".equals(t.get(0)) && t.get(1) instanceof PickledClass c
                && c.role() == Role.STORAGE && t.get(2) instanceof String key && t.get(4) instanceof Long count && count >= 0) {
            storages.put(key, c.elements());
            return new StorageReference(key, c.elements(), count);
        }
        throw refuse("the pickle must refer to storages as torch does, got another reference before byte " + at);
    }

    /// State of an object: attributes of a dictionary or of bookkeeping, which nobody reads.
    private void build() throws ModelFormatException {
        pop();
        Object target = peek();
        if (target != Plain.BOOKKEEPING && !(target instanceof Map) && !(target instanceof PickledClass c && c.role() == Role.BOOKKEEPING)) {
            throw refuse("the pickle may give state to dictionaries only, got " + kind(target) + " before byte " + at);
        }
    }
}
