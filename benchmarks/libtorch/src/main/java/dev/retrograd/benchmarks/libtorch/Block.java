package dev.retrograd.benchmarks.libtorch;

import static dev.retrograd.benchmarks.libtorch.Torch.again;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Lora;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.ResnetBlock;
import dev.retrograd.unet.SpatialTransformer;
import dev.retrograd.unet.UNetConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// A UNet block of Stable Diffusion 1.5: residual block, then transformer with LoRA of rank 4 on its attention projections, on two images (guidance).
final class Block {
    private static final UNetConfig SD15 = new UNetConfig(64, 4, 4, List.of(320, 640, 1280, 1280), List.of(true, true, true, false), 2, List.of(8, 8, 8, 8),
            List.of(1, 1, 1, 1), 768, 32, 1e-5, true, 0, false);
    private static final int BATCH = 2;
    private static final int TOKENS = 77;
    private static final int RANK = 4;
    private static final double TOLERANCE = 1e-3;

    private final Backend backend;
    private final int level;
    private final int size;
    private final int channels;
    private final List<TorchWeights> theirs = List.of(new TorchWeights(MemoryFormat.Contiguous), new TorchWeights(MemoryFormat.ChannelsLast));
    private final ResnetBlock resnet;
    private final SpatialTransformer transformer;
    private final List<Parameter> trainable = new ArrayList<>();
    private final float[] xs;
    private final float[] dys;
    private final float[] times;
    private final float[] contexts;
    private final Tensor x;
    private final Tensor dy;
    private final Tensor time;
    private final Tensor context;

    /// @param level 0 outermost, 64×64 at width 320
    Block(Backend backend, int level) throws IOException {
        this.backend = backend;
        this.level = level;
        size = SD15.sampleSize() >> level;
        channels = SD15.channels().get(level);
        RandomWeights weights = new RandomWeights(backend, theirs.toArray(TorchWeights[]::new));
        resnet = new ResnetBlock(weights.in("resnet"), channels, channels, Optional.of(SD15.timeChannels()), SD15.groups(), SD15.eps());
        transformer = new SpatialTransformer(weights.in("transformer"), channels, SD15.heads().get(level), 1, SD15);
        SplittableRandom random = new SplittableRandom(3);
        LoraConfig targets = new LoraConfig(RANK, RANK, LoraConfig.ATTENTION);
        for (Linear linear : transformer.linears()) {
            if (targets.matches(linear.name())) {
                attach(linear, random);
            }
        }
        xs = values(random, BATCH * size * size * channels);
        dys = values(random, xs.length);
        times = values(random, BATCH * SD15.timeChannels());
        contexts = values(random, BATCH * TOKENS * SD15.contextChannels());
        x = backend.floats("x", Shape.of(BATCH, size, size, channels), xs);
        dy = backend.floats("dy", x.shape(), dys);
        time = backend.floats("time", Shape.of(BATCH, SD15.timeChannels()), times);
        context = backend.floats("context", Shape.of(BATCH, TOKENS, SD15.contextChannels()), contexts);
    }

    private void attach(Linear linear, SplittableRandom random) {
        Parameter a = new Parameter(linear.name() + ".lora_A", backend.floats("a", Shape.of(RANK, linear.inFeatures()), values(random, RANK * linear.inFeatures())), true);
        Parameter b = new Parameter(linear.name() + ".lora_B", backend.floats("b", Shape.of(linear.outFeatures(), RANK), values(random, linear.outFeatures() * RANK)), true);
        Lora lora = new Lora(a, b, 0.01);
        linear.attach(lora);
        theirs.forEach(t -> t.attach(backend, linear.name(), lora));
        trainable.add(a);
        trainable.add(b);
    }

    private static float[] values(SplittableRandom random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return values;
    }

    /// The forward pass with nothing recorded.
    Pair forward() {
        List<Pair.Way> ways = new ArrayList<>();
        float[] ours = ourForward();
        for (TorchWeights w : theirs) {
            Theirs t = new Theirs(w);
            try (PointerScope _ = new PointerScope(); NoGradGuard _ = new NoGradGuard()) {
                Pair.requireAgreement(name("forward"), ours, Torch.floats(t.forward(again(t.x)).permute(0, 2, 3, 1)), TOLERANCE);
            }
            ways.add(new Pair.Way(Kernels.name(w.format()), () -> {
                try (PointerScope _ = new PointerScope(); NoGradGuard _ = new NoGradGuard()) {
                    t.forward(again(t.x)).close();
                }
            }));
        }
        return new Pair(name("forward"), 0, this::forwardOnce, ways);
    }

    /// Forward and backward: the gradients of x and of all low-rank matrices.
    Pair forwardBackward() {
        List<Pair.Way> ways = new ArrayList<>();
        float[] ours = ourGradient();
        for (TorchWeights w : theirs) {
            Theirs t = new Theirs(w);
            try (PointerScope _ = new PointerScope()) {
                Pair.requireAgreement(name("backward"), ours, t.gradient(), 10 * TOLERANCE);
            }
            ways.add(new Pair.Way(Kernels.name(w.format()), t::forwardBackward));
        }
        return new Pair(name("forward+backward"), 0, this::forwardBackwardOnce, ways);
    }

    private String name(String what) {
        return "block %d²x%d %s".formatted(size, channels, what);
    }

    private Var block(Var in, Tape tape) {
        return transformer.forward(resnet.forward(in, tape.constant(time)), tape.constant(context));
    }

    private float[] ourForward() {
        try (Scope _ = backend.memory().open("check"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return backend.toFloats(tape.unrecorded(() -> block(tape.constant(x), tape)).value());
        }
    }

    private void forwardOnce() {
        try (Scope _ = backend.memory().open("forward"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            tape.unrecorded(() -> block(tape.constant(x), tape));
        }
    }

    private float[] ourGradient() {
        try (Scope _ = backend.memory().open("check"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
            Var in = run(tape, gradients);
            return backend.toFloats(gradients.of(in).orElseThrow());
        }
    }

    private void forwardBackwardOnce() {
        try (Scope _ = backend.memory().open("forward and backward"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
            run(tape, gradients);
        }
    }

    private Var run(Tape tape, Gradients gradients) {
        Var in = tape.input(x);
        tape.backward(block(in, tape).times(tape.constant(dy)).apply(SumTo.all()), gradients);
        return in;
    }

    /// The same block on libtorch, in one memory format.
    private final class Theirs {
        private final TorchWeights w;
        private final TorchUNet unet;
        private final org.bytedeco.pytorch.Tensor x;
        private final org.bytedeco.pytorch.Tensor dy;
        private final org.bytedeco.pytorch.Tensor time;
        private final org.bytedeco.pytorch.Tensor context;

        Theirs(TorchWeights weights) {
            w = weights;
            unet = new TorchUNet(SD15, w);
            x = Torch.laidOut(Torch.of(xs, BATCH, size, size, channels).permute(0, 3, 1, 2), w.format());
            dy = Torch.laidOut(Torch.of(dys, BATCH, size, size, channels).permute(0, 3, 1, 2), w.format());
            time = Torch.of(times, BATCH, SD15.timeChannels());
            context = Torch.of(contexts, BATCH, TOKENS, SD15.contextChannels());
        }

        org.bytedeco.pytorch.Tensor forward(org.bytedeco.pytorch.Tensor in) {
            return unet.transformer("transformer", level, unet.resnet("resnet", in, time), context);
        }

        float[] gradient() {
            return Torch.floats(gradients().get(0).permute(0, 2, 3, 1));
        }

        void forwardBackward() {
            try (PointerScope _ = new PointerScope()) {
                gradients();
            }
        }

        /// Of x, then of the low-rank matrices.
        private TensorVector gradients() {
            org.bytedeco.pytorch.Tensor in = x.detach().requires_grad_(true);
            List<org.bytedeco.pytorch.Tensor> inputs = new ArrayList<>(List.of(in));
            inputs.addAll(w.trainable());
            return Torch.gradients(false, forward(again(in)), dy, inputs.toArray(org.bytedeco.pytorch.Tensor[]::new));
        }
    }
}
