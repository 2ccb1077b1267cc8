package dev.retrograd.benchmarks.libtorch;

import dev.retrograd.benchmarks.Miniature;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.method.AlignProp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// The CPU backend beside libtorch: kernels, UNet blocks and a whole update of the miniature, in one process, in turns, on the same threads.
///
/// `Main kernels|blocks|update|memory|about [--seconds S] [--threads N] [--only TEXT] [--json FILE]`. A ratio above 1 means that ours is faster.
public final class Main {
    private static final List<Miniature.Size> SIZES = List.of(new Miniature.Size(4, 8, 10, 5), new Miniature.Size(1, 32, 4, 2));
    private static final List<Miniature.Size> MEMORY_SIZES = List.of(SIZES.get(0), SIZES.get(1), new Miniature.Size(4, 32, 4, 2));
    private static final String USAGE = "usage: kernels|blocks|update|memory|about [--seconds S] [--threads N] [--only TEXT] [--json FILE]";

    private final String what;
    private double seconds = 2;
    private int threads = 2;
    private String only = "";
    private Path json;
    private final List<Pair.Result> results = new ArrayList<>();

    private Main(String... args) {
        if (args.length % 2 == 0) {
            throw new IllegalArgumentException(USAGE);
        }
        what = args[0];
        for (int i = 1; i < args.length; i += 2) {
            switch (args[i]) {
                case "--seconds" -> seconds = Double.parseDouble(args[i + 1]);
                case "--threads" -> threads = Integer.parseInt(args[i + 1]);
                case "--only" -> only = args[i + 1];
                case "--json" -> json = Path.of(args[i + 1]);
                default -> throw new IllegalArgumentException(USAGE + ", got " + args[i]);
            }
        }
    }

    /// @param args see the class
    public static void main(String... args) throws IOException {
        Locale.setDefault(Locale.ROOT);
        try {
            new Main(args).run();
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        }
    }

    private void run() throws IOException {
        switch (what) {
            case "kernels" -> compared(this::kernels);
            case "blocks" -> compared(this::blocks);
            case "update" -> compared(this::update);
            case "memory" -> PeakMemory.compare(threads, MEMORY_SIZES);
            case "about" -> {
                Libtorch.load(threads);
                System.out.println(Libtorch.description());
            }
            case PeakMemory.OURS, PeakMemory.THEIRS -> PeakMemory.child(what, threads, MEMORY_SIZES.get(Integer.parseInt(only)));
            default -> throw new IllegalArgumentException(USAGE + ", got " + what);
        }
    }

    private interface Comparison {
        void run(Backend backend) throws IOException;
    }

    private void compared(Comparison comparison) throws IOException {
        Libtorch.load(threads);
        System.out.println(Pair.Result.header());
        try (Backend backend = new CpuBackend(CpuBackend.Options.defaults().withThreads(threads))) {
            comparison.run(backend);
        }
        if (json != null) {
            Files.writeString(json, String.join("\n", results.stream().map(Pair.Result::json).toList()) + "\n");
        }
    }

    private void measure(Pair pair) {
        Pair.Result result = pair.measure(seconds);
        results.add(result);
        System.out.println(result.line());
    }

    private void kernels(Backend backend) {
        for (Kernels.Case c : new Kernels(backend).all()) {
            if (c.name().contains(only)) {
                try (Scope _ = backend.memory().open(c.name()); PointerScope _ = new PointerScope()) {
                    measure(c.make());
                }
            }
        }
    }

    private void blocks(Backend backend) throws IOException {
        for (int level = 0; level < 3; level++) {
            if (!Integer.toString(level).contains(only)) {
                continue;
            }
            try (Scope _ = backend.memory().open("block " + level); PointerScope _ = new PointerScope()) {
                Block block = new Block(backend, level);
                measure(block.forward());
                measure(block.forwardBackward());
            }
        }
    }

    private void update(Backend backend) throws IOException {
        try (EmbeddedModel embedded = EmbeddedModel.unpack()) {
            Path folder = embedded.files().model();
            for (Miniature.Size size : SIZES) {
                try (Miniature ours = new Miniature(backend, folder, size, AlignProp.RECOMPUTE_OUTERMOST); PointerScope _ = new PointerScope()) {
                    List<Pair.Way> ways = new ArrayList<>();
                    List<TorchMiniature> theirs = List.of(new TorchMiniature(backend, folder, ours, size, MemoryFormat.Contiguous),
                            new TorchMiniature(backend, folder, ours, size, MemoryFormat.ChannelsLast));
                    Miniature.Outcome first = ours.update();
                    for (TorchMiniature t : theirs) {
                        Miniature.Outcome other = t.update();
                        Pair.requireAgreement("loss", new float[] {(float) first.loss()}, new float[] {(float) other.loss()}, 1e-4);
                        Pair.requireAgreement("gradient norm", new float[] {(float) first.gradientNorm()}, new float[] {(float) other.gradientNorm()}, 1e-3);
                        ways.add(new Pair.Way(t.layout(), t::update));
                    }
                    measure(new Pair("update " + size, 0, ours::update, ways));
                }
            }
        }
    }
}
