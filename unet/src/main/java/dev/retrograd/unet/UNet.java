package dev.retrograd.unet;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Adaptable;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Unary;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The noise predictor of Stable Diffusion: (noisy latent, timestep, text embedding) to predicted noise.
///
/// It knows its layers and the LoRA updates attached to them; guidance, schedule and reward are not its business. Each of its blocks is a
/// segment. Source: arXiv 2112.10752. Parity: diffusers `UNet2DConditionModel`.
public final class UNet {
    private static final ConvSpec CONV_3X3 = ConvSpec.square(3, 1, 1);

    private final UNetConfig config;
    private final TimestepEmbedding timeEmbedding;
    private final Conv2d convIn;
    private final List<UNetBlock> down = new ArrayList<>();
    private final UNetBlock mid;
    private final List<UNetBlock> up = new ArrayList<>();
    private final GroupNorm normOut;
    private final Conv2d convOut;

    /// @param w weights by diffusers' names, e.g. `down_blocks.0.resnets.0.conv1.weight`
    /// @throws IOException if a weight is missing or has another shape than the configuration asks for
    public UNet(UNetConfig config, Weights w) throws IOException {
        this.config = config;
        List<Integer> channels = config.channels();
        int levels = config.levels();
        timeEmbedding = new TimestepEmbedding(w.in("time_embedding"), config);
        convIn = Conv2d.load(w.in("conv_in"), config.inChannels(), channels.getFirst(), CONV_3X3);
        for (int i = 0; i < levels; i++) {
            down.add(UNetBlock.down(w.in("down_blocks." + i), config, i));
        }
        mid = UNetBlock.mid(w.in("mid_block"), config);
        for (int i = 0; i < levels; i++) {
            up.add(UNetBlock.up(w.in("up_blocks." + i), config, levels - 1 - i));
        }
        normOut = GroupNorm.load(w.in("conv_norm_out"), config.groups(), config.eps(), channels.getFirst());
        convOut = Conv2d.load(w.in("conv_out"), channels.getFirst(), config.outChannels(), CONV_3X3);
    }

    public UNetConfig config() {
        return config;
    }

    /// Predicts the noise in a latent.
    ///
    /// @param latent `[B,H,W,inChannels]`
    /// @param timesteps trained indices, 0..999; one per image or one for all
    /// @param context text embedding, `[B,M,contextChannels]`
    /// @return `[B,H,W,outChannels]`, of the latent's type, whatever the backend's activations are
    /// @throws ShapeException if the batch sizes differ
    public Var forward(Var latent, Var context, float... timesteps) {
        Tape t = latent.tape();
        int batch = latent.dim(0);
        if (timesteps.length != 1 && timesteps.length != batch) {
            throw new ShapeException("unet: needs one timestep, or one for each of the " + batch + " latents, got " + timesteps.length);
        }
        float[] each = timesteps.length == batch ? timesteps : filled(batch, timesteps[0]);
        Var time = t.segment1("time_embedding", _ -> t.named("time_embedding", timeEmbedding.forward(t, each))).apply(Unary.SILU);
        Var text = context.to(t.activations());
        Var h = t.segment1("conv_in", in -> t.named("conv_in", convIn.forward(in[0].to(t.activations()))), latent);
        List<Var> skips = new ArrayList<>(List.of(h));
        for (UNetBlock block : down) {
            Var[] out = t.segment(block.name(), in -> block.down(in[0], in[1], in[2]).toArray(Var[]::new), h, time, text);
            skips.addAll(Arrays.asList(out));
            h = out[out.length - 1];
        }
        h = t.segment1(mid.name(), in -> mid.mid(in[0], in[1], in[2]), h, time, text);
        for (UNetBlock block : up) {
            int count = block.resnets();
            List<Var> taken = skips.subList(skips.size() - count, skips.size());
            List<Var> in = new ArrayList<>(List.of(h, time, text));
            in.addAll(taken);
            taken.clear();
            int[] size = skips.isEmpty() ? latent.shape().toArray() : skips.getLast().shape().toArray();
            h = t.segment1(block.name(), v -> block.up(v[0], v[1], v[2], Arrays.asList(v).subList(3, v.length), size[1], size[2]), in.toArray(Var[]::new));
        }
        return t.segment1("conv_out", in -> convOut.forward(t.named("conv_norm_out", normOut.forward(in[0])).apply(Unary.SILU)).to(latent.spec().dtype()), h);
    }

    private static float[] filled(int n, float value) {
        float[] all = new float[n];
        Arrays.fill(all, value);
        return all;
    }

    /// Every linear layer, in the order of the forward pass, with its name in files.
    public List<Linear> linears() {
        List<Linear> all = new ArrayList<>(timeEmbedding.linears());
        down.forEach(b -> all.addAll(b.linears()));
        all.addAll(mid.linears());
        up.forEach(b -> all.addAll(b.linears()));
        return all;
    }

    /// Every layer that LoRA updates can go to: the linear ones, then the convolutions.
    public List<Adaptable> adaptable() {
        List<Adaptable> all = new ArrayList<>(linears());
        all.add(convIn);
        down.forEach(b -> all.addAll(b.convolutions()));
        all.addAll(mid.convolutions());
        up.forEach(b -> all.addAll(b.convolutions()));
        all.add(convOut);
        return all;
    }
}
