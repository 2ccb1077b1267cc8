package dev.retrograd.benchmarks.libtorch;

import dev.retrograd.benchmarks.Miniature;
import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.method.AlignProp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// Peak memory of an update, each side in a process of its own: what the kernel counts as resident and private to the process (`RssAnon`), and as resident at
/// all (`VmHWM`, with code and mapped files), sampled while updates run. Both have a Java heap of at most 96 MB.
final class PeakMemory {
    static final String OURS = "memory-of-ours";
    static final String THEIRS = "memory-of-libtorch";
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final int UPDATES = 3;

    private PeakMemory() {
    }

    /// Starts both children for each size and prints what they say.
    static void compare(int threads, List<Miniature.Size> sizes) throws IOException {
        System.out.println("| update | | private, MB | before it, MB | of the update, MB | resident, MB |\n| --- | --- | ---: | ---: | ---: | ---: |");
        for (int i = 0; i < sizes.size(); i++) {
            for (String side : List.of(OURS, THEIRS)) {
                start(side, threads, i);
            }
        }
    }

    private static void start(String side, int threads, int size) throws IOException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules", "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED", "-Xms16m", "-Xmx96m", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(side, "--threads", Integer.toString(threads), "--only", Integer.toString(size)));
        Process child = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        System.out.print(new String(child.getInputStream().readAllBytes()));
        try {
            if (child.waitFor() != 0) {
                throw new IllegalStateException(side + ": must end with exit code 0, got " + child.exitValue());
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException("comparison: interrupted", e);
        }
    }

    /// Runs one side and prints a line.
    static void child(String side, int threads, Miniature.Size size) throws IOException {
        boolean theirs = side.equals(THEIRS);
        if (theirs) {
            Libtorch.load(threads);
        }
        try (EmbeddedModel embedded = EmbeddedModel.unpack(); Backend backend = new CpuBackend(CpuBackend.Options.defaults().withThreads(threads))) {
            System.gc();
            long before = kilobytes("RssAnon");
            AtomicLong peak = new AtomicLong(before);
            Thread sampler = Thread.ofPlatform().daemon().start(() -> {
                while (true) {
                    peak.accumulateAndGet(kilobytes("RssAnon"), Math::max);
                    try {
                        Thread.sleep(2);
                    } catch (InterruptedException e) {
                        return;
                    }
                }
            });
            run(theirs, backend, embedded.files().model(), size);
            sampler.interrupt();
            System.out.printf(Locale.ROOT, "| %s | %s | %.0f | %.0f | %.0f | %.0f |%n", size, theirs ? "libtorch" : "ours", peak.get() / 1024.0, before / 1024.0, (peak.get() - before) / 1024.0,
                    kilobytes("VmHWM") / 1024.0);
        }
    }

    private static void run(boolean theirs, Backend backend, Path folder, Miniature.Size size) throws IOException {
        if (!theirs) {
            try (Miniature ours = new Miniature(backend, folder, size, AlignProp.RECOMPUTE_OUTERMOST)) {
                for (int i = 0; i < UPDATES; i++) {
                    ours.update();
                }
            }
            return;
        }
        TorchMiniature other;
        try (PointerScope _ = new PointerScope()) {
            try (Miniature ours = new Miniature(backend, folder, size, AlignProp.RECOMPUTE_OUTERMOST)) {
                other = new TorchMiniature(backend, folder, ours, size, MemoryFormat.Contiguous);
            }
            for (int i = 0; i < UPDATES; i++) {
                other.update();
            }
        }
    }

    private static long kilobytes(String key) {
        try {
            for (String line : Files.readAllLines(STATUS)) {
                if (line.startsWith(key + ":")) {
                    return Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("memory: " + STATUS + " must be readable", e);
        }
        throw new IllegalStateException("memory: " + STATUS + " must have " + key + ", got none");
    }
}
