package dev.retrograd.trainer;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.Layout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/// The randomness of a denoising chain, for images numbered from 0: asking again gives the same values.
public abstract sealed class ChainNoise {
    private final int[] latent;

    /// @param latent shape of one latent, `[C,H,W]`
    ChainNoise(int... latent) {
        this.latent = latent.clone();
    }

    int[] latent() {
        return latent.clone();
    }

    int perImage() {
        return latent[0] * latent[1] * latent[2];
    }

    /// N(0,1), `count·C·H·W` values in this order, for the images from `first` on; step −1 is the initial latent.
    abstract Tensor values(Backend b, String name, int step, int first, int count);

    /// x_T of the images from `first` on, `[count,H,W,C]`.
    public Tensor initial(Backend b, int first, int count) {
        return tensor(b, "x_T", -1, first, count);
    }

    /// Fresh noise for a step of the images from `first` on, `[count,H,W,C]`.
    public Tensor step(Backend b, int step, int first, int count) {
        return tensor(b, "noise", step, first, count);
    }

    private Tensor tensor(Backend b, String name, int step, int first, int count) {
        try (Scope scope = b.memory().open(name)) {
            return scope.keep(Layout.channelsLast(b, values(b, name, step, first, count).reshape(count, latent[0], latent[1], latent[2])));
        }
    }

    /// A stream for each image and step, keyed by (seed, update, number): the same whatever the micro-batches, devices and order.
    public static final class Keyed extends ChainNoise {
        private final long seed;
        private final int update;
        private final int offset;

        public Keyed(long seed, int update, int... latent) {
            this(seed, update, 0, latent.clone());
        }

        private Keyed(long seed, int update, int offset, int[] latent) {
            super(latent);
            this.seed = seed;
            this.update = update;
            this.offset = offset;
        }

        /// The noise of the images from a number on, which are counted from 0 anew.
        public Keyed from(int image) {
            return new Keyed(seed, update, offset + image, latent());
        }

        /// The host draws words, the device makes normal values of them, where there are enough for torch to make them together.
        @Override Tensor values(Backend b, String name, int step, int first, int count) {
            int n = perImage();
            if (n < RandomStream.NORMALS_TOGETHER) {
                return rows(b, name, step, first, count, stream -> stream.randn(n));
            }
            Tensor normals = b.empty(name, Spec.f32(count, n));
            b.normals(rows(b, "uniforms", step, first, count, stream -> stream.uniformsOfNormals(n)), normals);
            return normals;
        }

        private Tensor rows(Backend b, String name, int step, int first, int count, Function<RandomStream, float[]> draw) {
            List<float[]> rows = IntStream.range(0, count)
                    .mapToObj(i -> draw.apply(RandomStream.keyed(seed, StreamKey.NOISE.code(), update, offset + first + i, step + 1))).toList();
            int width = rows.getFirst().length;
            float[] all = new float[count * width];
            for (int i = 0; i < count; i++) {
                System.arraycopy(rows.get(i), 0, all, i * width, width);
            }
            return b.floats(name, Shape.of(count, width), all);
        }
    }

    /// One stream for a whole batch, as diffusers draws from `torch.Generator("cpu").manual_seed(seed)`: the initial latents `[B,C,H,W]`, then the noise of each step where eta > 0.
    public static final class Seeded extends ChainNoise {
        private final float[][] drawn;

        /// @param images of the whole batch
        /// @param noisySteps steps that draw noise: all of them where eta > 0, else 0
        public Seeded(long seed, int images, int noisySteps, int... latent) {
            super(latent);
            RandomStream stream = new RandomStream(seed);
            drawn = new float[noisySteps + 1][];
            for (int i = 0; i < drawn.length; i++) {
                drawn[i] = stream.randn(Math.multiplyExact(images, perImage()));
            }
        }

        @Override Tensor values(Backend b, String name, int step, int first, int count) {
            int n = perImage();
            return b.floats(name, Shape.of(count, n), Arrays.copyOfRange(drawn[step + 1], first * n, (first + count) * n));
        }
    }

    /// Latents that somebody holds, for a chain that draws no further noise: as they are when they are asked for.
    static final class Latents extends ChainNoise {
        private final List<Parameter> latents;

        /// @param latents of each image, `[1,H,W,C]`
        Latents(List<Parameter> latents, int... latent) {
            super(latent);
            this.latents = latents;
        }

        @Override Tensor values(Backend b, String name, int step, int first, int count) {
            throw new IllegalStateException("noise: a chain without noise of its own is required, got one that asks for that of step " + step);
        }

        @Override public Tensor initial(Backend b, int first, int count) {
            Shape one = latents.getFirst().spec().shape();
            Tensor all = b.empty("x_T", Spec.f32(count, one.dim(1), one.dim(2), one.dim(3)));
            for (int i = 0; i < count; i++) {
                b.copySlice(latents.get(first + i).value(), 0, 0, all, i, 1);
            }
            return all;
        }
    }
}
