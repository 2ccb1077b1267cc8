package dev.retrograd.cuda;

import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What was chosen by timing. Choices can change the order of sums, so a run keeps its own, and goes on with them; a cache of the user's keeps those
/// of a device, so that nothing is measured twice. A run's choice comes before the cache's, and that before a measurement.
///
/// Both are files of text: a line that says what they are, one for the device and its driver, one for the kernels, then `what = choice`. A run's file
/// names the device that it began on.
final class KernelChoices {
    private static final String TITLE = "retrograd kernel choices 1";
    private static final Pattern CHOICE = Pattern.compile("(.+) = (.+)");
    private static final int HEADER = 3;

    private final String device;
    private final Supplier<String> kernels;
    private final Optional<Path> run;
    private final Optional<Path> folder;
    private final Consumer<String> notices;
    private final Map<String, String> known = new LinkedHashMap<>();
    private final Map<String, String> ofThisDevice = new LinkedHashMap<>();
    private Map<String, String> cached = Map.of();
    private Optional<Path> cache = Optional.empty();
    private List<String> header = List.of();
    private List<String> headerOfRun = List.of();

    /// @param device with its driver
    /// @param kernels what tells their text from others; asked for when the first choice is
    /// @param run file beside a run's settings
    /// @param cache folder of the user's cache
    /// @param notices told if a file of the cache is of no use
    KernelChoices(String device, Supplier<String> kernels, Optional<Path> run, Optional<Path> cache, Consumer<String> notices) {
        this.device = device;
        this.kernels = kernels;
        this.run = run;
        folder = cache;
        this.notices = notices;
    }

    /// What was chosen before, or else is chosen now.
    ///
    /// @param what without ` = `
    /// @param valid whether a text is a choice that can be followed
    /// @throws IllegalStateException if the run's file is damaged
    String choose(String what, Predicate<String> valid, Supplier<String> measure) {
        return chosen(what, valid).orElseGet(() -> {
            String choice = measure.get();
            keep(what, choice);
            return choice;
        });
    }

    /// What was chosen before.
    ///
    /// @throws IllegalStateException if the run's file is damaged, or its choice cannot be followed
    Optional<String> chosen(String what, Predicate<String> valid) {
        Optional<String> choice = ofRun(what, valid);
        if (choice.isEmpty()) {
            choice = fromCache(what, valid);
            choice.ifPresent(c -> keep(what, c));
        }
        return choice;
    }

    /// What was chosen before in this run.
    ///
    /// @throws IllegalStateException if the run's file is damaged, or its choice cannot be followed
    Optional<String> ofRun(String what, Predicate<String> valid) {
        read();
        String choice = known.get(what);
        if (choice != null && !valid.test(choice)) {
            throw new IllegalStateException(unknown(run.orElseThrow(), what, choice) + "; without the file, it is measured anew");
        }
        return Optional.ofNullable(choice);
    }

    /// Keeps a choice.
    void keep(String what, String choice) {
        known.put(what, choice);
        ofThisDevice.put(what, choice);
        write();
    }

    private Optional<String> fromCache(String what, Predicate<String> valid) {
        Optional<String> found = Optional.ofNullable(cached.get(what));
        if (found.isPresent() && !valid.test(found.get())) {
            notices.accept(unknown(cache.orElseThrow(), what, found.get()) + "; it is measured anew");
            return Optional.empty();
        }
        return found;
    }

    private static String unknown(Path file, String what, String choice) {
        return file + ": '" + what + "' must be a choice that can be followed here, got '" + choice + "'";
    }

    private void read() {
        if (!header.isEmpty()) {
            return;
        }
        List<String> own = List.of(TITLE, "device " + device, "kernels " + kernels.get());
        readRun(own);
        header = own;
        cache = folder.map(f -> f.resolve("cuda-" + HexFormat.of().toHexDigits(String.join("\n", header).hashCode()) + ".txt"));
        if (cache.isPresent() && Files.exists(cache.get())) {
            try {
                List<String> lines = lines(cache.get());
                Map<String, String> found = choices(cache.get(), lines);
                if (lines.subList(0, HEADER).equals(header)) {
                    cached = found;
                } else {
                    notices.accept(cache.get() + ": is of another device, driver or version and is written anew");
                }
            } catch (IOException | IllegalStateException e) {
                notices.accept(e.getMessage() + "; what it held is measured anew");
            }
        }
    }

    /// What a run chose on another device, or with other kernels, it follows; the cache of this device is not told.
    private void readRun(List<String> own) {
        headerOfRun = own;
        if (run.isEmpty() || !Files.exists(run.get())) {
            return;
        }
        if (!Files.isRegularFile(run.get())) {
            throw new IllegalStateException(run.get() + ": must be a file, got something else");
        }
        try {
            List<String> lines = lines(run.get());
            known.putAll(choices(run.get(), lines));
            headerOfRun = List.copyOf(lines.subList(0, HEADER));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (headerOfRun.equals(own)) {
            ofThisDevice.putAll(known);
        }
    }

    private static List<String> lines(Path file) throws IOException {
        try {
            return Files.readAllLines(file);
        } catch (CharacterCodingException e) {
            throw new IllegalStateException(file + ": must be text in UTF-8, got other bytes", e);
        }
    }

    private static Map<String, String> choices(Path file, List<String> lines) {
        if (lines.size() < HEADER || !lines.getFirst().equals(TITLE)) {
            throw new IllegalStateException(file + ": must begin with '" + TITLE + "' and two more lines, got " + (lines.isEmpty() ? "nothing" : "'" + lines.getFirst() + "'"));
        }
        Map<String, String> choices = new LinkedHashMap<>();
        for (int i = HEADER; i < lines.size(); i++) {
            Matcher choice = CHOICE.matcher(lines.get(i));
            if (!choice.matches()) {
                throw new IllegalStateException(file + ": line " + (i + 1) + " must be 'what = choice', got '" + lines.get(i) + "'");
            }
            choices.put(choice.group(1), choice.group(2));
        }
        return choices;
    }

    private void write() {
        try {
            if (run.isPresent()) {
                write(run.get(), headerOfRun, known);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (cache.isPresent()) {
            Map<String, String> all = new LinkedHashMap<>(cached);
            all.putAll(ofThisDevice);
            try {
                Files.createDirectories(cache.get().getParent());
                write(cache.get(), header, all);
                cached = all;
            } catch (IOException e) {
                notices.accept(e.getMessage() + "; measurements are not kept for other runs");
            }
        }
    }

    private static void write(Path file, List<String> header, Map<String, String> choices) throws IOException {
        List<String> lines = new ArrayList<>(header);
        choices.forEach((what, choice) -> lines.add(what + " = " + choice));
        AtomicFile.write(file, (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8));
    }
}
