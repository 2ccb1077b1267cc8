package dev.retrograd.unet.vae;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.UpsampleNearest;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.unet.ResnetBlock;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The decoder of the autoencoder: latent to image. Frozen; gradients pass through. Its blocks are segments. Parity: diffusers `AutoencoderKL.decode`.
public final class VaeDecoder {
    private static final ConvSpec CONV_3X3 = ConvSpec.square(3, 1, 1);
    private static final ConvSpec CONV_1X1 = ConvSpec.square(1, 1, 0);

    private final VaeConfig config;
    private final Conv2d postQuantConv;
    private final Conv2d convIn;
    private final VaeMidBlock mid;
    private final List<Level> levels = new ArrayList<>();
    private final GroupNorm normOut;
    private final Conv2d convOut;

    /// Residual blocks and, but for the outermost level, an upsampler.
    private record Level(String name, List<ResnetBlock> resnets, Optional<Conv2d> upsampler) {
        Var forward(Var x) {
            Var h = x;
            for (ResnetBlock r : resnets) {
                h = r.forward(h);
            }
            return upsampler.isPresent() ? upsampler.get().forward(h.apply(new UpsampleNearest(2))) : h;
        }
    }

    /// @param w weights by diffusers' names, e.g. `decoder.conv_in.weight`
    public VaeDecoder(VaeConfig config, Weights w) throws IOException {
        this.config = config;
        List<Integer> channels = config.channels();
        int innermost = channels.getLast();
        postQuantConv = Conv2d.load(w.in("post_quant_conv"), config.latentChannels(), config.latentChannels(), CONV_1X1);
        Weights d = w.in("decoder");
        convIn = Conv2d.load(d.in("conv_in"), config.latentChannels(), innermost, CONV_3X3);
        mid = new VaeMidBlock(d.in("mid_block"), innermost, config.groups());
        int in = innermost;
        for (int i = 0; i < channels.size(); i++) {
            int out = channels.get(channels.size() - 1 - i);
            Weights block = d.in("up_blocks." + i);
            List<ResnetBlock> resnets = new ArrayList<>();
            for (int j = 0; j <= config.layersPerBlock(); j++) {
                resnets.add(new ResnetBlock(block.in("resnets." + j), j == 0 ? in : out, out, Optional.empty(), config.groups(), VaeMidBlock.EPS));
            }
            boolean outermost = i == channels.size() - 1;
            levels.add(new Level("decoder.up_blocks." + i, resnets,
                    outermost ? Optional.empty() : Optional.of(Conv2d.load(block.in("upsamplers.0.conv"), out, out, CONV_3X3))));
            in = out;
        }
        normOut = GroupNorm.load(d.in("conv_norm_out"), config.groups(), VaeMidBlock.EPS, in);
        convOut = Conv2d.load(d.in("conv_out"), in, config.outChannels(), CONV_3X3);
    }

    public VaeConfig config() {
        return config;
    }

    /// @param z `[B,h,w,latentChannels]`, already divided by the scaling factor
    /// @return image `[B,8h,8w,3]`, nominally in [-1,1], not clamped; of z's type
    public Var forward(Var z) {
        Tape t = z.tape();
        Var h = t.segment1("decoder.conv_in", in -> t.named("decoder.conv_in", convIn.forward(t.named("post_quant_conv", postQuantConv.forward(in[0].to(t.activations()))))), z);
        h = t.segment1("decoder.mid_block", in -> t.named("decoder.mid_block", mid.forward(in[0])), h);
        for (Level level : levels) {
            h = t.segment1(level.name(), in -> t.named(level.name(), level.forward(in[0])), h);
        }
        return t.segment1("decoder.conv_out", in -> convOut.forward(normOut.forwardSilu(in[0])).to(z.spec().dtype()), h);
    }
}
