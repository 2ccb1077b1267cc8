package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Choices are measured once, kept, and believed only from whole files of the same device and kernels.
class KernelChoicesTest {
    @TempDir private Path folder;
    private final List<String> notices = new ArrayList<>();
    private int measured;

    private KernelChoices open(String device, String kernels, Optional<Path> run) {
        return new KernelChoices(device, () -> kernels, run, Optional.of(folder.resolve("cache")), notices::add);
    }

    private String choose(KernelChoices choices, String what) {
        return choices.choose(what, c -> c.matches("\\d+"), () -> String.valueOf(++measured));
    }

    private Path cacheFile() throws IOException {
        try (Stream<Path> files = Files.list(folder.resolve("cache"))) {
            return files.findFirst().orElseThrow();
        }
    }

    @Test void aChoiceIsMeasuredOncePerDeviceDriverAndKernels() {
        KernelChoices first = open("a", "x", Optional.empty());
        assertEquals("1", choose(first, "one"));
        assertEquals("1", choose(first, "one"));
        assertEquals("1", choose(open("a", "x", Optional.empty()), "one"), "from the cache");
        assertEquals("2", choose(open("b", "x", Optional.empty()), "one"), "another device");
        assertEquals("3", choose(open("a", "y", Optional.empty()), "one"), "other kernels");
        assertEquals(List.of(), notices);
    }

    @Test void aRunGoesOnWithItsOwnChoicesWhateverTheCacheHas() throws IOException {
        Optional<Path> run = Optional.of(folder.resolve("kernel-choices.txt"));
        assertEquals("1", choose(open("a", "x", run), "one"));
        Files.delete(cacheFile());
        assertEquals("2", choose(open("a", "x", Optional.empty()), "one"));
        assertEquals("1", choose(open("a", "x", run), "one"));
        assertEquals("1", choose(open("b", "x", run), "one"), "on another device as well");
    }

    @Test void whatARunChoseOnAnotherDeviceStaysOutOfTheCacheOfThisOne() throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        assertEquals("1", choose(open("a", "x", Optional.of(run)), "one"));
        assertEquals("2", choose(open("b", "x", Optional.of(run)), "two"), "is measured on the second");
        KernelChoices resumed = open("b", "x", Optional.of(run));
        assertEquals("1", choose(resumed, "one"));
        assertEquals("3", choose(resumed, "three"));
        assertEquals("retrograd kernel choices 1\ndevice a\nkernels x\none = 1\ntwo = 2\nthree = 3\n", Files.readString(run));
        KernelChoices other = open("b", "x", Optional.empty());
        assertEquals("2", choose(other, "two"), "from the cache");
        assertEquals("4", choose(other, "one"), "measured, as the first device's choice is none of the second's");
    }

    @Test void aDamagedCacheIsIgnoredWithALineAndWrittenAnew() throws IOException {
        choose(open("a", "x", Optional.empty()), "one");
        Path file = cacheFile();
        String whole = Files.readString(file);
        List<String> damages = List.of("", "rubbish\n", whole.substring(0, whole.length() - 4), whole.replace("device a", "device b"), whole.replace("= 1", "= none"), "\u0000\u0001");
        for (String damage : damages) {
            notices.clear();
            Files.writeString(file, damage);
            int before = measured;
            assertEquals(String.valueOf(before + 1), choose(open("a", "x", Optional.empty()), "one"), "measured anew after '" + damage + "'");
            assertEquals(1, notices.size(), notices.toString());
            assertTrue(notices.getFirst().startsWith(file + ": "), notices.toString());
            assertEquals(String.valueOf(before + 1), choose(open("a", "x", Optional.empty()), "one"), "the file is whole again");
        }
        Files.write(file, new byte[] {(byte) 0xFF, (byte) 0xFE});
        choose(open("a", "x", Optional.empty()), "one");
        assertTrue(notices.getLast().contains("must be text in UTF-8"), notices.toString());
    }

    @Test void aDamagedFileOfARunIsAnError() throws IOException {
        Path run = folder.resolve("kernel-choices.txt");
        Files.writeString(run, "retrograd kernel choices 1\ndevice a\nkernels x\none is two\n");
        IllegalStateException e = assertThrows(IllegalStateException.class, () -> choose(open("a", "x", Optional.of(run)), "one"));
        assertEquals(run + ": line 4 must be 'what = choice', got 'one is two'", e.getMessage());
        Files.writeString(run, "retrograd kernel choices 1\ndevice a\nkernels x\none = two\n");
        e = assertThrows(IllegalStateException.class, () -> choose(open("a", "x", Optional.of(run)), "one"));
        assertEquals(run + ": 'one' must be a choice that can be followed here, got 'two'; without the file, it is measured anew", e.getMessage());
        Files.writeString(run, "rubbish\n");
        KernelChoices choices = open("a", "x", Optional.of(run));
        for (int i = 0; i < 2; i++) {
            e = assertThrows(IllegalStateException.class, () -> choose(choices, "one"));
            assertEquals(run + ": must begin with 'retrograd kernel choices 1' and two more lines, got 'rubbish'", e.getMessage(), "also when asked again");
        }
        assertEquals("rubbish\n", Files.readString(run));
        Files.delete(run);
        Files.createDirectory(run);
        e = assertThrows(IllegalStateException.class, () -> choose(open("a", "x", Optional.of(run)), "one"));
        assertEquals(run + ": must be a file, got something else", e.getMessage());
    }

    @Test void aCacheThatCannotBeWrittenIsSaid() throws IOException {
        Files.writeString(folder.resolve("cache"), "a file where the folder would be");
        assertEquals("1", choose(open("a", "x", Optional.empty()), "one"));
        assertEquals(1, notices.size());
        assertTrue(notices.getFirst().endsWith("; measurements are not kept for other runs"), notices.toString());
    }
}
