package dev.retrograd.unet.file;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.ModelFormatException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.function.Function;

/// What the shapes of an LDM checkpoint say about its networks, as diffusers' configurations.
///
/// Not in the shapes, and so what every SD 1.x and 2.x has: 32 groups, heads of width 64 in text encoders and in 2.x's UNet, 8 heads in 1.x's.
/// Source: CompVis/stable-diffusion `v1-inference.yaml`, Stability-AI/stablediffusion `v2-inference-v.yaml`.
final class LdmLayout {
    private static final int MOST_BLOCKS = 1000;

    private final String source;
    private final SortedMap<String, Shape> shapes;

    /// A network's configuration, and how its tensors are called.
    record Network(ObjectNode config, LdmNames names) {
    }

    /// @param shapes of tensors by their name in the component
    LdmLayout(String source, SortedMap<String, Shape> shapes) {
        this.source = source;
        this.shapes = shapes;
    }

    private boolean has(String name) {
        return shapes.containsKey(name);
    }

    private int dim(String name, int axis) throws ModelFormatException {
        Shape shape = shapes.get(name);
        if (shape == null || shape.rank() <= axis || shape.dim(axis) < 1) {
            throw new ModelFormatException(source + ": tensor '…" + name + "' is required in a checkpoint of Stable Diffusion, got " + (shape == null ? "none" : "one of shape " + shape));
        }
        return shape.dim(axis);
    }

    /// How many of the names with an index in them follow one another from 0.
    private int count(Function<Integer, String> name) {
        int n = 0;
        while (n < MOST_BLOCKS && has(name.apply(n))) {
            n++;
        }
        return n;
    }

    /// @param sampleSize latent rows and columns that the model was trained at
    Network unet(int sampleSize) throws ModelFormatException {
        List<Integer> channels = new ArrayList<>();
        List<Boolean> attention = new ArrayList<>();
        int layers = 0;
        int inLevel = 0;
        for (int block = 1; block < MOST_BLOCKS; block++) {
            String at = "input_blocks." + block;
            boolean residual = has(at + ".0.in_layers.2.weight");
            if (residual && inLevel++ == 0) {
                channels.add(dim(at + ".0.in_layers.2.weight", 0));
                attention.add(has(at + ".1.norm.weight"));
            }
            if (!residual) {
                layers = Math.max(layers, inLevel);
                inLevel = 0;
                if (!has(at + ".0.op.weight")) {
                    break;
                }
            }
        }
        int firstAttention = attention.indexOf(true);
        if (firstAttention < 0) {
            throw new ModelFormatException(source + ": its UNet must have attention to the text, as Stable Diffusion's, got none");
        }
        String transformer = "input_blocks." + (1 + firstAttention * (layers + 1)) + ".1.";
        boolean linear = shapes.containsKey(transformer + "proj_in.weight") && shapes.get(transformer + "proj_in.weight").rank() == 2;
        ObjectNode c = DiffusersConfigs.unet(channels, attention, layers, dim(transformer + "transformer_blocks.0.attn2.to_k.weight", 1), dim("input_blocks.0.0.weight", 1),
                dim("out.2.weight", 0), linear, sampleSize);
        return new Network(c, LdmNames.unet(layers, attention));
    }

    Network vae(int imageSize) throws ModelFormatException {
        dim("decoder.up.0.block.0.conv1.weight", 0);
        int levels = count(i -> "decoder.up." + i + ".block.0.conv1.weight");
        int layers = count(i -> "decoder.up.0.block." + i + ".conv1.weight") - 1;
        List<Integer> channels = new ArrayList<>();
        for (int level = 0; level < levels; level++) {
            channels.add(dim("decoder.up." + level + ".block.0.conv1.weight", 0));
        }
        ObjectNode c = DiffusersConfigs.vae(channels, layers, dim("decoder.conv_out.weight", 0), dim("decoder.conv_in.weight", 1), imageSize);
        return new Network(c, LdmNames.vae(levels, layers));
    }

    /// CLIP's text tower as transformers names it.
    ObjectNode clipText() throws ModelFormatException {
        int width = dim("text_model.embeddings.token_embedding.weight", 1);
        int layers = count(i -> "text_model.encoder.layers." + i + ".mlp.fc1.weight");
        return DiffusersConfigs.text(dim("text_model.embeddings.token_embedding.weight", 0), dim("text_model.embeddings.position_embedding.weight", 0), width, layers,
                dim("text_model.encoder.layers.0.mlp.fc1.weight", 0), false);
    }

    /// OpenCLIP's text tower without its last layer, which SD 2.x does not use.
    Network openClipText() throws ModelFormatException {
        int layers = count(i -> "transformer.resblocks." + i + ".mlp.c_fc.weight") - 1;
        return new Network(DiffusersConfigs.text(dim("token_embedding.weight", 0), dim("positional_embedding", 0), dim("token_embedding.weight", 1), layers,
                dim("transformer.resblocks.0.mlp.c_fc.weight", 0), true), LdmNames.openClip(layers));
    }
}
