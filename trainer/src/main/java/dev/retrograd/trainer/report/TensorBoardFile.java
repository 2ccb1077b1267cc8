package dev.retrograd.trainer.report;

import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/// An event file that TensorBoard reads: scalars and PNG images by tag and step.
///
/// Every event is in the file when its method returns. Source: tensorflow `event.proto`, `summary.proto` and `record_writer.cc` (a record is its length, a masked
/// CRC-32C of that, its bytes, a masked CRC-32C of them; little-endian).
public final class TensorBoardFile implements AutoCloseable {
    private static final String VERSION = "brain.Event:2";
    private static final int MASK_DELTA = 0xa282ead8;
    private static final int MASK_ROTATION = 15;
    private static final int RGB = 3;
    private static final long MILLIS = 1000;
    private static final Pattern NAME = Pattern.compile("events\\.out\\.tfevents\\.(\\d{1,12})\\..*");
    private static final int SESSION_START = 1;

    /// Field numbers of `Event`.
    private enum Event {
        WALL_TIME(1), STEP(2), FILE_VERSION(3), SUMMARY(5), SESSION_LOG(7);

        final int number;

        Event(int number) {
            this.number = number;
        }
    }

    private final FileChannel file;
    private double latest;

    /// @param start seconds since 1970 that no event may precede
    private TensorBoardFile(FileChannel file, long start) {
        this.file = file;
        latest = start;
    }

    /// The latest start of a file in the folder, in seconds since 1970; 0 if there is none.
    private static long newest(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(f -> NAME.matcher(f.getFileName().toString())).filter(Matcher::matches).mapToLong(m -> Long.parseLong(m.group(1))).max().orElse(0);
        }
    }

    /// What goes into a message.
    @FunctionalInterface
    private interface Fields {
        void write(CodedOutputStream out) throws IOException;
    }

    /// Begins a new file in a folder.
    ///
    /// @param folder made if need be; TensorBoard takes all event files in it as one run
    /// @param done steps that the run has behind it: what earlier files have of later ones, TensorBoard forgets
    /// @throws IOException if it cannot be written
    public static TensorBoardFile open(Path folder, long done) throws IOException {
        Files.createDirectories(folder);
        // TensorBoard reads files in the order of their names, and the clock may have been set back since the last one.
        long seconds = Math.max(System.currentTimeMillis() / MILLIS, newest(folder) + 1);
        Path path = folder.resolve(String.format(Locale.ROOT, "events.out.tfevents.%d.retrograd.%d.0", seconds, ProcessHandle.current().pid()));
        TensorBoardFile events = new TensorBoardFile(FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), seconds);
        events.add(0, out -> out.writeString(Event.FILE_VERSION.number, VERSION));
        events.add(done + 1, out -> message(out, Event.SESSION_LOG.number, log -> log.writeEnum(1, SESSION_START)));
        return events;
    }

    /// @param tag such as `reward/mean`; what is before the slash groups
    public void scalar(String tag, long step, double value) throws IOException {
        value(tag, step, out -> out.writeFloat(2, (float) value));
    }

    /// @param png a whole PNG file
    public void image(String tag, long step, int width, int height, byte[] png) throws IOException {
        value(tag, step, out -> message(out, 4, image -> {
            image.writeInt32(1, height);
            image.writeInt32(2, width);
            image.writeInt32(3, RGB);
            image.writeByteArray(4, png);
        }));
    }

    private void value(String tag, long step, Fields value) throws IOException {
        add(step, event -> message(event, Event.SUMMARY.number, summary -> message(summary, 1, out -> {
            out.writeString(1, tag);
            value.write(out);
        })));
    }

    private void add(long step, Fields what) throws IOException {
        latest = Math.max(latest, System.currentTimeMillis() / (double) MILLIS);
        record(bytes(event -> {
            event.writeDouble(Event.WALL_TIME.number, latest);
            event.writeInt64(Event.STEP.number, step);
            what.write(event);
        }));
    }

    private static void message(CodedOutputStream out, int field, Fields fields) throws IOException {
        out.writeByteArray(field, bytes(fields));
    }

    private static byte[] bytes(Fields fields) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        CodedOutputStream out = CodedOutputStream.newInstance(bytes);
        fields.write(out);
        out.flush();
        return bytes.toByteArray();
    }

    private void record(byte[] event) throws IOException {
        ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, event.length);
        ByteBuffer record = ByteBuffer.allocate(Long.BYTES + 2 * Integer.BYTES + event.length).order(ByteOrder.LITTLE_ENDIAN);
        record.put(length.array()).putInt(maskedCrc(length.array())).put(event).putInt(maskedCrc(event)).flip();
        while (record.hasRemaining()) {
            file.write(record);
        }
    }

    private static int maskedCrc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return Integer.rotateRight((int) crc.getValue(), MASK_ROTATION) + MASK_DELTA;
    }

    @Override public void close() throws IOException {
        file.close();
    }
}
