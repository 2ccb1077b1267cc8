package dev.retrograd.unet;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.autograd.op.UpsampleNearest;
import dev.retrograd.core.ConvSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// One resolution level of the UNet: residual blocks, transformers between them where the level has any, and a resampler towards the next level.
///
/// Parity: diffusers `CrossAttnDownBlock2D`, `DownBlock2D`, `UNetMidBlock2DCrossAttn`, `CrossAttnUpBlock2D`, `UpBlock2D`.
final class UNetBlock {
    private static final ConvSpec DOWN = ConvSpec.square(3, 2, 1);
    private static final ConvSpec UP = ConvSpec.square(3, 1, 1);

    private final String name;
    private final List<ResnetBlock> resnets = new ArrayList<>();
    private final List<SpatialTransformer> attentions = new ArrayList<>();
    private final Optional<Conv2d> resampler;

    private UNetBlock(Weights w, Optional<Conv2d> resampler) {
        name = w.path();
        this.resampler = resampler;
    }

    static UNetBlock down(Weights w, UNetConfig c, int level) throws IOException {
        int out = c.channels().get(level);
        int in = c.channels().get(Math.max(level - 1, 0));
        boolean last = level == c.levels() - 1;
        UNetBlock block = new UNetBlock(w, last ? Optional.empty() : Optional.of(Conv2d.load(w.in("downsamplers.0.conv"), out, out, DOWN)));
        for (int i = 0; i < c.layersPerBlock(); i++) {
            block.layer(w, c, level, i, i == 0 ? in : out);
        }
        return block;
    }

    static UNetBlock mid(Weights w, UNetConfig c) throws IOException {
        int level = c.levels() - 1;
        int channels = c.channels().get(level);
        UNetBlock block = new UNetBlock(w, Optional.empty());
        block.resnets.add(resnet(w, c, 0, channels, channels));
        block.attentions.add(new SpatialTransformer(w.in("attentions.0"), channels, c.heads().get(level), c.transformerLayers().get(level), c));
        block.resnets.add(resnet(w, c, 1, channels, channels));
        return block;
    }

    /// @param level counted from the outermost, as everywhere; files count decoder blocks from the innermost
    static UNetBlock up(Weights w, UNetConfig c, int level) throws IOException {
        int out = c.channels().get(level);
        int previous = c.channels().get(Math.min(level + 1, c.levels() - 1));
        int outer = c.channels().get(Math.max(level - 1, 0));
        UNetBlock block = new UNetBlock(w, level == 0 ? Optional.empty() : Optional.of(Conv2d.load(w.in("upsamplers.0.conv"), out, out, UP)));
        for (int i = 0; i <= c.layersPerBlock(); i++) {
            int skip = i == c.layersPerBlock() ? outer : out;
            block.layer(w, c, level, i, (i == 0 ? previous : out) + skip);
        }
        return block;
    }

    private void layer(Weights w, UNetConfig c, int level, int i, int in) throws IOException {
        int out = c.channels().get(level);
        resnets.add(resnet(w, c, i, in, out));
        if (c.crossAttention().get(level)) {
            attentions.add(new SpatialTransformer(w.in("attentions." + i), out, c.heads().get(level), c.transformerLayers().get(level), c));
        }
    }

    private static ResnetBlock resnet(Weights w, UNetConfig c, int i, int in, int out) throws IOException {
        return new ResnetBlock(w.in("resnets." + i), in, out, Optional.of(c.timeChannels()), c.groups(), c.eps());
    }

    /// As files call it: `down_blocks.0`.
    String name() {
        return name;
    }

    int resnets() {
        return resnets.size();
    }

    private Var layer(int i, Var x, Var time, Var context) {
        Tape t = x.tape();
        Var h = t.named(name + ".resnets." + i, resnets.get(i).forward(x, time));
        return i < attentions.size() ? t.named(name + ".attentions." + i, attentions.get(i).forward(h, context)) : h;
    }

    /// All states that the decoder's mirror level will read, the last one being the input of the next level.
    List<Var> down(Var x, Var time, Var context) {
        List<Var> states = new ArrayList<>();
        Var h = x;
        for (int i = 0; i < resnets.size(); i++) {
            h = layer(i, h, time, context);
            states.add(h);
        }
        if (resampler.isPresent()) {
            h = x.tape().named(name + ".downsamplers.0", resampler.get().forward(h));
            states.add(h);
        }
        x.tape().named(name, h);
        return states;
    }

    Var mid(Var x, Var time, Var context) {
        Var h = layer(0, x, time, context);
        return x.tape().named(name, x.tape().named(name + ".resnets.1", resnets.get(1).forward(h, time)));
    }

    /// @param skips states of the encoder, used from the last to the first
    /// @param height rows of the next level's states: an odd number of rows was halved upwards, so that doubling gives one too many
    Var up(Var x, Var time, Var context, List<Var> skips, int height, int width) {
        Var h = x;
        for (int i = 0; i < resnets.size(); i++) {
            h = layer(i, h.apply(new Concat(-1), skips.get(skips.size() - 1 - i)), time, context);
        }
        if (resampler.isPresent()) {
            h = x.tape().named(name + ".upsamplers.0", resampler.get().forward(cropped(h.apply(new UpsampleNearest(2)), height, width)));
        }
        return x.tape().named(name, h);
    }

    private static Var cropped(Var x, int height, int width) {
        Var rows = x.dim(1) == height ? x : x.apply(new Slice(1, 0, height));
        return rows.dim(2) == width ? rows : rows.apply(new Slice(2, 0, width));
    }

    List<Linear> linears() {
        List<Linear> all = new ArrayList<>();
        for (int i = 0; i < resnets.size(); i++) {
            resnets.get(i).timeProjection().ifPresent(all::add);
            if (i < attentions.size()) {
                all.addAll(attentions.get(i).linears());
            }
        }
        return all;
    }

    List<Conv2d> convolutions() {
        List<Conv2d> all = new ArrayList<>();
        resnets.forEach(r -> all.addAll(r.convolutions()));
        resampler.ifPresent(all::add);
        return all;
    }
}
