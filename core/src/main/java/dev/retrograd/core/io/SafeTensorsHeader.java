package dev.retrograd.core.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.retrograd.core.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The header of a safetensors file, checked against the file: 8 bytes of length, that many bytes of JSON, then the tensors without gaps.
///
/// Source: the format description of huggingface/safetensors; its reader refuses the same headers.
///
/// @param entries by name, in the order of the data
/// @param metadata the free-form strings under `__metadata__`
record SafeTensorsHeader(Map<String, Entry> entries, Map<String, String> metadata) {
    static final int LENGTH_BYTES = 8;
    static final String METADATA = "__metadata__";
    /// Upstream's limit too: a header is parsed in memory.
    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final int SHOWN_NAME_LENGTH = 200;
    /// More axes than any library's tensors have; bounds what a hostile shape makes us hold.
    private static final int MAX_RANK = 64;
    private static final JsonFactory JSON = new JsonFactory();

    /// Bits per element of every type the format knows, whether or not this program reads it.
    private static final Map<String, Integer> BITS = Map.ofEntries(
            Map.entry("BOOL", 8), Map.entry("F4", 4), Map.entry("F6_E2M3", 6), Map.entry("F6_E3M2", 6), Map.entry("U8", 8), Map.entry("I8", 8),
            Map.entry("F8_E5M2", 8), Map.entry("F8_E4M3", 8), Map.entry("F8_E8M0", 8), Map.entry("F8_E5M2FNUZ", 8), Map.entry("F8_E4M3FNUZ", 8),
            Map.entry("I16", 16), Map.entry("U16", 16), Map.entry("F16", 16), Map.entry("BF16", 16), Map.entry("I32", 32), Map.entry("U32", 32),
            Map.entry("F32", 32), Map.entry("C64", 64), Map.entry("F64", 64), Map.entry("I64", 64), Map.entry("U64", 64));

    /// One tensor.
    ///
    /// @param dtype the format's name of its element type
    /// @param begin its first byte, counted from the start of the file; `end` is the byte after its last one
    record Entry(String name, String dtype, Shape shape, long begin, long end) {
    }

    /// @param source what messages call the file
    /// @throws ModelFormatException if the header is damaged or does not fit the file
    static SafeTensorsHeader read(String source, MemorySegment file) throws ModelFormatException {
        long size = file.byteSize();
        if (size < LENGTH_BYTES) {
            throw new ModelFormatException(source + ": a safetensors file starts with 8 bytes of header length, file has " + size);
        }
        long length = file.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
        if (length < 0 || length > MAX_HEADER_BYTES) {
            throw new ModelFormatException(source + ": the header must have at most " + MAX_HEADER_BYTES + " bytes, got "
                    + Long.toUnsignedString(length) + " (not a safetensors file?)");
        }
        if (length > size - LENGTH_BYTES) {
            throw new ModelFormatException(source + ": the header ends at byte " + (LENGTH_BYTES + length) + ", file has " + size);
        }
        byte[] json = file.asSlice(LENGTH_BYTES, length).toArray(ValueLayout.JAVA_BYTE);
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json)).toString();
            try (JsonParser parser = JSON.createParser(text)) {
                return new Reader(source, parser, LENGTH_BYTES + length, size).read();
            }
        } catch (CharacterCodingException e) {
            throw new ModelFormatException(source + ": the header must be UTF-8, got other bytes");
        } catch (JsonProcessingException e) {
            throw new ModelFormatException(source + ": the header must be JSON: " + JsonError.of(e));
        } catch (ModelFormatException e) {
            throw e;
        } catch (IOException e) {
            throw new AssertionError("reading a string", e);
        }
    }

    /// A name as messages show it: quoted, without control characters, of bounded length.
    static String shown(String name) {
        String cut = name.length() <= SHOWN_NAME_LENGTH ? name : name.substring(0, SHOWN_NAME_LENGTH) + "…";
        return "'" + cut.replaceAll("\\p{Cntrl}", "?") + "'";
    }

    private static final class Reader {
        private final String source;
        private final JsonParser parser;
        private final long dataStart;
        private final long fileSize;
        private final Map<String, Entry> entries = new LinkedHashMap<>();
        private Map<String, String> metadata;

        Reader(String source, JsonParser parser, long dataStart, long fileSize) {
            this.source = source;
            this.parser = parser;
            this.dataStart = dataStart;
            this.fileSize = fileSize;
        }

        SafeTensorsHeader read() throws IOException {
            require(parser.nextToken() == JsonToken.START_OBJECT, "the header must be a JSON object");
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals(METADATA)) {
                    require(metadata == null, "the header must have one " + METADATA + ", got two");
                    metadata = readMetadata();
                } else {
                    require(!entries.containsKey(name), "tensor names must differ, got " + shown(name) + " twice");
                    entries.put(name, readEntry(name));
                }
            }
            require(parser.nextToken() == null, "the header must end after its JSON object, got more");
            return new SafeTensorsHeader(inOrder(), metadata == null ? Map.of() : metadata);
        }

        private Map<String, String> readMetadata() throws IOException {
            require(parser.currentToken() == JsonToken.START_OBJECT, METADATA + " must be a JSON object of strings");
            Map<String, String> map = new LinkedHashMap<>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                require(parser.nextToken() == JsonToken.VALUE_STRING, METADATA + " must hold strings, got " + parser.currentToken() + " for " + shown(key));
                require(map.put(key, parser.getText()) == null, METADATA + " keys must differ, got " + shown(key) + " twice");
            }
            return map;
        }

        private Entry readEntry(String name) throws IOException {
            String tensor = "tensor " + shown(name);
            require(parser.currentToken() == JsonToken.START_OBJECT, tensor + " must be a JSON object, got " + parser.currentToken());
            String dtype = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (field) {
                    case "dtype" -> {
                        require(dtype == null && value == JsonToken.VALUE_STRING, tensor + " must have one dtype, a string");
                        dtype = parser.getText();
                    }
                    case "shape" -> {
                        require(shape == null, tensor + " must have one shape, got two");
                        shape = readIntegers(tensor + " shape");
                    }
                    case "data_offsets" -> {
                        require(offsets == null, tensor + " must have one data_offsets, got two");
                        offsets = readIntegers(tensor + " data_offsets");
                    }
                    default -> parser.skipChildren(); // as upstream
                }
            }
            require(dtype != null && shape != null && offsets != null, tensor + " must have dtype, shape and data_offsets");
            require(offsets.size() == 2, tensor + " must have 2 data_offsets, got " + offsets.size());
            return checked(name, tensor, dtype, shape, offsets.get(0), offsets.get(1));
        }

        private List<Long> readIntegers(String what) throws IOException {
            require(parser.currentToken() == JsonToken.START_ARRAY, what + " must be an array, got " + parser.currentToken());
            List<Long> values = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                require(parser.currentToken() == JsonToken.VALUE_NUMBER_INT && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER
                        && parser.getLongValue() >= 0, what + " must hold integers from 0 to 2^63 - 1, got " + shown(parser.getText()));
                values.add(parser.getLongValue());
                require(values.size() <= MAX_RANK, what + " must hold at most " + MAX_RANK + " integers, got more");
            }
            return values;
        }

        private Entry checked(String name, String tensor, String dtype, List<Long> sizes, long begin, long end) throws ModelFormatException {
            Integer bits = BITS.get(dtype);
            require(bits != null, tensor + " has the unknown dtype " + shown(dtype));
            int[] dims = new int[sizes.size()];
            for (int i = 0; i < dims.length; i++) {
                require(sizes.get(i) <= Integer.MAX_VALUE, tensor + " must have sizes below 2^31, got " + sizes);
                dims[i] = sizes.get(i).intValue();
            }
            long needed = bytes(tensor, dims, bits);
            require(begin <= end, tensor + " must end after it starts, got data_offsets " + begin + ".." + end);
            long available = fileSize - dataStart;
            require(end <= available, tensor + " ends at byte " + Long.toUnsignedString(dataStart + end) + ", file has " + fileSize);
            Shape shape = Shape.of(dims);
            require(end - begin == needed, tensor + " " + shape + " " + dtype + " takes " + needed + " bytes, got " + (end - begin));
            return new Entry(name, dtype, shape, dataStart + begin, dataStart + end);
        }

        private long bytes(String tensor, int[] dims, int bits) throws ModelFormatException {
            long elements = 1;
            for (int d : dims) {
                require(d == 0 || elements <= Long.MAX_VALUE / 64 / d, tensor + " has too many elements, got sizes " + java.util.Arrays.toString(dims));
                elements *= d;
            }
            require(elements * bits % 8 == 0, tensor + " must fill whole bytes, got " + elements + " elements of " + bits + " bits");
            return elements * bits / 8;
        }

        private Map<String, Entry> inOrder() throws ModelFormatException {
            Map<String, Entry> ordered = new LinkedHashMap<>();
            long position = dataStart;
            for (Entry e : entries.values().stream().sorted(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end)).toList()) {
                require(e.begin() == position, "tensor " + shown(e.name()) + " must start at byte " + position + ", where the one before it ends, got byte " + e.begin());
                position = e.end();
                ordered.put(e.name(), e);
            }
            require(position == fileSize, "the last tensor must end with the file, ends at byte " + position + ", file has " + fileSize);
            return ordered;
        }

        private void require(boolean condition, String otherwise) throws ModelFormatException {
            if (!condition) {
                throw new ModelFormatException(source + ": " + otherwise);
            }
        }
    }
}
