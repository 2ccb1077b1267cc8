package dev.retrograd.unet.vae;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.GroupNorm;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Unary;
import dev.retrograd.unet.ResnetBlock;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The encoder of the autoencoder: image to the moments of its latent. Its blocks are segments. Parity: diffusers `AutoencoderKL.encode`.
public final class VaeEncoder {
    private static final ConvSpec CONV_3X3 = ConvSpec.square(3, 1, 1);
    private static final ConvSpec CONV_1X1 = ConvSpec.square(1, 1, 0);
    /// Upstream pads the lower and right edge only before halving.
    private static final ConvSpec HALVING = new ConvSpec(3, 3, 2, 0, 1, 0, 1);
    private static final double LEAST_LOG_VARIANCE = -30;
    private static final double GREATEST_LOG_VARIANCE = 20;

    private final VaeConfig config;
    private final Conv2d convIn;
    private final List<Level> levels = new ArrayList<>();
    private final VaeMidBlock mid;
    private final GroupNorm normOut;
    private final Conv2d convOut;
    private final Conv2d quantConv;

    /// Residual blocks and, but for the innermost level, a downsampler.
    private record Level(String name, List<ResnetBlock> resnets, Optional<Conv2d> downsampler) {
        Var forward(Var x) {
            Var h = x;
            for (ResnetBlock r : resnets) {
                h = r.forward(h);
            }
            return downsampler.isPresent() ? downsampler.get().forward(h) : h;
        }
    }

    /// @param w weights by diffusers' names, e.g. `encoder.conv_in.weight`
    public VaeEncoder(VaeConfig config, Weights w) throws IOException {
        this.config = config;
        List<Integer> channels = config.channels();
        Weights e = w.in("encoder");
        convIn = Conv2d.load(e.in("conv_in"), config.imageChannels(), channels.getFirst(), CONV_3X3);
        int in = channels.getFirst();
        for (int i = 0; i < channels.size(); i++) {
            int out = channels.get(i);
            Weights block = e.in("down_blocks." + i);
            List<ResnetBlock> resnets = new ArrayList<>();
            for (int j = 0; j < config.layersPerBlock(); j++) {
                resnets.add(new ResnetBlock(block.in("resnets." + j), j == 0 ? in : out, out, Optional.empty(), config.groups(), VaeMidBlock.EPS));
            }
            boolean innermost = i == channels.size() - 1;
            levels.add(new Level("encoder.down_blocks." + i, resnets,
                    innermost ? Optional.empty() : Optional.of(Conv2d.load(block.in("downsamplers.0.conv"), out, out, HALVING))));
            in = out;
        }
        mid = new VaeMidBlock(e.in("mid_block"), in, config.groups());
        normOut = GroupNorm.load(e.in("conv_norm_out"), config.groups(), VaeMidBlock.EPS, in);
        int moments = 2 * config.latentChannels();
        convOut = Conv2d.load(e.in("conv_out"), in, moments, CONV_3X3);
        quantConv = Conv2d.load(w.in("quant_conv"), moments, moments, CONV_1X1);
    }

    /// @param image `[B,H,W,3]` in [-1,1]
    /// @return mean and log-variance of the latent, `[B,H/8,W/8,2·latentChannels]`; not clamped, not scaled; of the image's type
    public Var forward(Var image) {
        Tape t = image.tape();
        Var h = t.segment1("encoder.conv_in", in -> t.named("encoder.conv_in", convIn.forward(in[0].to(t.activations()))), image);
        for (Level level : levels) {
            h = t.segment1(level.name(), in -> t.named(level.name(), level.forward(in[0])), h);
        }
        h = t.segment1("encoder.mid_block", in -> t.named("encoder.mid_block", mid.forward(in[0])), h);
        return t.segment1("encoder.conv_out", in -> t.named("quant_conv", quantConv.forward(t.named("encoder", convOut.forward(normOut.forwardSilu(in[0]))))).to(image.spec().dtype()), h);
    }

    /// The latent's mean, `[B,h,w,latentChannels]`.
    public Var mean(Var moments) {
        return moments.apply(new Slice(-1, 0, config.latentChannels()));
    }

    /// The latent's standard deviation, `exp(½·clamp(log-variance, −30, 20))`, `[B,h,w,latentChannels]`.
    public Var std(Var moments) {
        Var logVariance = moments.apply(new Slice(-1, config.latentChannels(), config.latentChannels()));
        return logVariance.apply(Unary.clamp(LEAST_LOG_VARIANCE, GREATEST_LOG_VARIANCE)).affine(0.5, 0).apply(Unary.EXP);
    }
}
