package dev.retrograd.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.trainer.method.AlignProp;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.UNet;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// `measure`: a whole AlignProp update of a model in a folder, and its UNet alone, as `benchmarks/peers/peer.py` measures them with PyTorch. Both print the same
/// JSON, and the peer starts from what this one wrote.
final class Measure {
    private static final String USAGE = "usage: measure --model DIR --json FILE [--start DIR] [--device cpu] [--batch 1,8] [--steps 50] [--kept 50] [--images 1] [--latent N] [--repeats 10]";
    private static final float TIMESTEP = 501;
    private static final int TOKENS = 77;
    /// An update is so much longer than a pass through the UNet.
    private static final int REPEATS_PER_UPDATE = 5;

    private Path model;
    private Path json;
    private Optional<Path> start = Optional.empty();
    private String device = "cpu";
    private int[] batches = {1, 8};
    private int steps = 50;
    private Optional<Integer> kept = Optional.empty();
    private int images = 1;
    private Optional<Integer> latent = Optional.empty();
    private int repeats = 10;

    /// @throws IllegalArgumentException if the arguments are not as the usage says
    Measure(String... args) {
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw new IllegalArgumentException(USAGE + ", got " + args[i] + " without a value");
            }
            String value = args[i + 1];
            switch (args[i]) {
                case "--model" -> model = Path.of(value);
                case "--json" -> json = Path.of(value);
                case "--start" -> start = Optional.of(Path.of(value));
                case "--device" -> device = value;
                case "--batch" -> batches = Arrays.stream(value.split(",")).mapToInt(b -> count("--batch", b)).toArray();
                case "--steps" -> steps = count("--steps", value);
                case "--kept" -> kept = Optional.of(count("--kept", value));
                case "--images" -> images = count("--images", value);
                case "--latent" -> latent = Optional.of(count("--latent", value));
                case "--repeats" -> repeats = count("--repeats", value);
                default -> throw new IllegalArgumentException(USAGE + ", got " + args[i]);
            }
        }
        if (model == null || json == null) {
            throw new IllegalArgumentException(USAGE);
        }
        if (kept.orElse(1) > steps) {
            throw new IllegalArgumentException("--kept: 1.." + steps + " (steps) is required, got " + kept.get());
        }
    }

    private static int count(String flag, String value) {
        try {
            int n = Integer.parseInt(value);
            if (n > 0) {
                return n;
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(flag + ": a number above 0 is required, got " + value, e);
        }
        throw new IllegalArgumentException(flag + ": a number above 0 is required, got " + value);
    }

    /// Measures, and writes the figures.
    void run() throws IOException {
        try (Backend backend = DeviceBenchmark.open(device)) {
            ObjectNode figures = new ObjectMapper().createObjectNode().put("backend", backend.name()).put("precision", backend.precision().toString()).put("java", Runtime.version().toString());
            int side = latent.isPresent() ? latent.get() : Miniature.latentSide(model);
            int k = kept.orElse(steps);
            figures.put("latent", side).put("steps", steps).put("kept", k).put("images", images);
            try (Miniature update = new Miniature(backend, model, new Miniature.Size(images, side, steps, k), AlignProp.RECOMPUTE_OUTERMOST)) {
                if (start.isPresent()) {
                    writeStart(backend, update, start.get());
                }
                for (int batch : batches) {
                    unet(backend, update.model().unet(), side, batch, figures);
                }
                Miniature.Outcome first = update.update();
                timed(backend, Math.max(1, repeats / REPEATS_PER_UPDATE), update::update, figures.putObject("update").put("loss", first.loss()).put("gradient_norm", first.gradientNorm()));
            }
            String text = figures.toPrettyString();
            AtomicFile.writeString(json, text + "\n");
            System.out.println(text);
        }
    }

    /// The first latent as `[B,4,H,W]`, the texts' embeddings, and the LoRA before its first update.
    private static void writeStart(Backend backend, Miniature update, Path folder) throws IOException {
        Tensor latents = update.latents();
        try (Scope _ = backend.memory().open("start")) {
            Shape s = latents.shape();
            Tensor planes = backend.empty("planes", latents.spec().with(Shape.of(s.dim(0), s.dim(3), s.dim(1), s.dim(2))));
            backend.permute(latents, new int[] {0, 3, 1, 2}, planes);
            new SafeTensorsWriter().add("latents", backend, planes).add("context", backend, update.context()).write(folder.resolve("start.safetensors"));
        }
        LoraFile.write(folder.resolve(LoraFile.NAME), update.lora().updates(backend), LoraFile.Naming.PEFT);
    }

    private void unet(Backend backend, UNet unet, int side, int batch, ObjectNode figures) {
        Shape shape = Shape.of(batch, side, side, unet.config().inChannels());
        Shape text = Shape.of(batch, TOKENS, unet.config().contextChannels());
        RandomStream random = new RandomStream(1);
        try (Scope _ = backend.memory().open("unet")) {
            Tensor x = backend.floats("latent", shape, random.randn(Math.toIntExact(shape.elements())));
            Tensor context = backend.floats("context", text, random.randn(Math.toIntExact(text.elements())));
            float[] ones = new float[Math.toIntExact(shape.elements())];
            Arrays.fill(ones, 1);
            Tensor dy = backend.floats("dy", shape, ones);
            timed(backend, repeats, () -> {
                try (Scope _ = backend.memory().open("forward"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
                    tape.unrecorded(() -> unet.forward(tape.constant(x), tape.constant(context), TIMESTEP));
                }
            }, figures.putObject("unet_forward_batch_" + batch));
            timed(backend, repeats, () -> {
                try (Scope _ = backend.memory().open("both"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
                    Var y = unet.forward(tape.input(x), tape.constant(context), TIMESTEP);
                    tape.backward(y, dy, gradients);
                }
            }, figures.putObject("unet_forward_backward_batch_" + batch));
        }
    }

    private static void timed(Backend backend, int repeats, Runnable run, ObjectNode into) {
        run.run();
        run.run();
        backend.synchronize();
        backend.memory().resetPeak();
        List<Double> seconds = new ArrayList<>();
        for (int i = 0; i < repeats; i++) {
            long begin = System.nanoTime();
            run.run();
            backend.synchronize();
            seconds.add((System.nanoTime() - begin) / 1e9);
        }
        seconds.sort(null);
        double median = (seconds.get((repeats - 1) / 2) + seconds.get(repeats / 2)) / 2;
        into.put("seconds", median).put("fastest", seconds.getFirst()).put("slowest", seconds.getLast()).put("peak_bytes", backend.memory().peakBytes() + backend.workspaceBytes())
                .put("reserved_bytes", backend.reservedBytes());
    }
}
