package dev.retrograd.core.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/// The uncompressed entries of a zip archive, as slices of the mapped file: torch stores tensors so that they can be mapped.
///
/// Zip64 is read, compression is refused. Source: PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3.
final class ZipEntries {
    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END64 = 0x06064b50;
    private static final int LOCATOR64 = 0x07064b50;
    private static final int END_BYTES = 22;
    private static final int LOCATOR_BYTES = 20;
    private static final int END64_BYTES = 56;
    private static final int CENTRAL_BYTES = 46;
    private static final int LOCAL_BYTES = 30;
    private static final int MAX_COMMENT = 0xFFFF;
    private static final long IN_ZIP64 = 0xFFFF_FFFFL;
    private static final int ZIP64_FIELD = 1;
    /// More files than any checkpoint has tensors.
    private static final int MAX_ENTRIES = 1 << 20;

    private final String source;
    private final MemorySegment file;

    private ZipEntries(String source, MemorySegment file) {
        this.source = source;
        this.file = file;
    }

    static boolean startsLike(byte[] start) {
        return start.length >= 4 && start[0] == 'P' && start[1] == 'K' && start[2] == 3 && start[3] == 4;
    }

    /// @return the content of each entry by its path, in the order of the directory
    static Map<String, MemorySegment> read(String source, MemorySegment file) throws ModelFormatException {
        return new ZipEntries(source, file).read();
    }

    private Map<String, MemorySegment> read() throws ModelFormatException {
        long end = endRecord();
        long count = u16(end + 10);
        long directory = u32(end + 16);
        long locator = end - LOCATOR_BYTES;
        if (locator >= 0 && (int) u32(locator) == LOCATOR64) {
            long end64 = u64(locator + 8);
            require(within(end64, END64_BYTES) && (int) u32(end64) == END64, "the zip64 directory's end must lie in the file, got byte " + Long.toUnsignedString(end64));
            count = u64(end64 + 32);
            directory = u64(end64 + 48);
        }
        require(count >= 0 && count <= MAX_ENTRIES, "the archive must have at most " + MAX_ENTRIES + " files, got " + Long.toUnsignedString(count));
        Map<String, MemorySegment> entries = new LinkedHashMap<>();
        long at = directory;
        for (long i = 0; i < count; i++) {
            at = entry(at, entries);
        }
        return entries;
    }

    private long endRecord() throws ModelFormatException {
        for (long at = file.byteSize() - END_BYTES; at >= Math.max(0, file.byteSize() - END_BYTES - MAX_COMMENT); at--) {
            if ((int) u32(at) == END) {
                return at;
            }
        }
        throw new ModelFormatException(source + ": a zip archive's directory is required at the end, got none (is the file cut off?)");
    }

    private long entry(long at, Map<String, MemorySegment> entries) throws ModelFormatException {
        require(within(at, CENTRAL_BYTES) && (int) u32(at) == CENTRAL, "the archive's directory must lie in the file, got byte " + Long.toUnsignedString(at));
        int nameLength = u16(at + 28);
        int extraLength = u16(at + 30);
        int commentLength = u16(at + 32);
        long next = at + CENTRAL_BYTES + nameLength + extraLength + commentLength;
        require(within(at, next - at), "the archive's directory must lie in the file, ends at byte " + next + ", file has " + file.byteSize());
        String name = new String(file.asSlice(at + CENTRAL_BYTES, nameLength).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        String shown = "entry " + SafeTensorsHeader.shown(name);
        int method = u16(at + 10);
        long[] wide = zip64(at + CENTRAL_BYTES + nameLength, extraLength, shown, u32(at + 24), u32(at + 20), u32(at + 42));
        require((u16(at + 8) & 1) == 0, shown + " must not be encrypted");
        require(method == 0 && wide[0] == wide[1], shown + " must be stored as torch does, got compression method " + method);
        long local = wide[2];
        require(within(local, LOCAL_BYTES) && (int) u32(local) == LOCAL, shown + " must start in the file, got byte " + Long.toUnsignedString(local));
        long data = local + LOCAL_BYTES + u16(local + 26) + u16(local + 28);
        require(within(data, wide[0]), shown + " of " + Long.toUnsignedString(wide[0]) + " bytes at byte " + data + " must lie in the file, which has " + file.byteSize());
        require(entries.put(name, file.asSlice(data, wide[0])) == null, shown + " must be there once, got two");
        return next;
    }

    /// The values that 32 bits were too few for stand in an extra field, in the order given, those only.
    private long[] zip64(long at, int length, String shown, long... narrow) throws ModelFormatException {
        long[] values = narrow.clone();
        long end = at + length;
        for (long field = at; field + 4 <= end; field += 4 + u16(field + 2)) {
            if (u16(field) == ZIP64_FIELD) {
                long p = field + 4;
                for (int i = 0; i < values.length; i++) {
                    if (narrow[i] == IN_ZIP64) {
                        require(p + 8 <= Math.min(end, field + 4 + u16(field + 2)), shown + " must have its 64-bit sizes, got fewer");
                        values[i] = u64(p);
                        p += 8;
                    }
                }
            }
        }
        return values;
    }

    private boolean within(long at, long count) {
        return at >= 0 && count >= 0 && at <= file.byteSize() && count <= file.byteSize() - at;
    }

    private int u16(long at) {
        return file.get(TensorBytes.SHORT, at) & 0xFFFF;
    }

    private long u32(long at) {
        return file.get(TensorBytes.INT, at) & 0xFFFF_FFFFL;
    }

    private long u64(long at) {
        return file.get(TensorBytes.LONG, at);
    }

    private void require(boolean condition, String otherwise) throws ModelFormatException {
        if (!condition) {
            throw new ModelFormatException(source + ": " + otherwise);
        }
    }
}
