package dev.retrograd.unet.text;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.LayerNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.GatherRows;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// The text encoder of CLIP: token ids to one vector per token. Source: arXiv 2103.00020. Parity: transformers `CLIPTextModel`.
public final class ClipTextEncoder {
    private final ClipTextConfig config;
    private final Parameter tokens;
    private final Parameter positions;
    private final List<ClipLayer> layers = new ArrayList<>();
    private final LayerNorm finalNorm;

    /// @param w weights by transformers' names below `text_model`, e.g. `embeddings.token_embedding.weight`
    public ClipTextEncoder(ClipTextConfig config, Weights w) throws IOException {
        this.config = config;
        tokens = w.get("embeddings.token_embedding.weight", config.vocabulary(), config.width());
        positions = w.get("embeddings.position_embedding.weight", config.positions(), config.width());
        for (int i = 0; i < config.layers(); i++) {
            layers.add(new ClipLayer(w.in("encoder.layers." + i), config.width(), config.heads(), config.feedForward(), config.eps(), config.activation(), true));
        }
        finalNorm = LayerNorm.load(w.in("final_layer_norm"), config.eps(), config.width());
    }

    public ClipTextConfig config() {
        return config;
    }

    /// Every linear layer, with its name in files: where LoRA updates go.
    public List<Linear> linears() {
        return layers.stream().flatMap(l -> l.linears().stream()).toList();
    }

    /// What the encoder gives.
    ///
    /// @param hiddenStates input of layer 0, then the output of each layer, before the final normalisation; `[B,N,width]` each, in the backend's activations
    /// @param last after the final normalisation, `[B,N,width]`: the conditioning of SD1.x; float32
    /// @param pooled `last` at each row's first end token, `[B,width]`
    public record Encoding(List<Var> hiddenStates, Var last, Var pooled) {
    }

    /// Encodes rows of token ids.
    ///
    /// @param ids B rows of N ids each
    /// @throws IllegalArgumentException if rows differ in length, are longer than the positions, or hold an id outside the vocabulary
    public Encoding forward(Tape t, int[]... ids) {
        check(ids);
        int batch = ids.length;
        int length = ids[0].length;
        Var x = t.parameter(tokens).apply(new GatherRows(), t.constant(t.backend().ints("ids", Shape.of(batch, length), flat(ids))));
        int[] places = new int[length];
        for (int i = 0; i < length; i++) {
            places[i] = i;
        }
        Var p = t.parameter(positions).apply(new GatherRows(), t.constant(t.backend().ints("positions", Shape.of(1, length), places)));
        List<Var> states = new ArrayList<>();
        Var h = x.plus(p).to(t.activations());
        states.add(h);
        for (int i = 0; i < layers.size(); i++) {
            ClipLayer layer = layers.get(i);
            h = t.segment1("text_model.encoder.layers." + i, in -> layer.forward(in[0]), h);
            states.add(h);
        }
        Var last = finalNorm.forward(h).to(DType.F32);
        return new Encoding(states, last, pooled(t, last, ids));
    }

    /// What conditions the UNet when the last layers are skipped: the final normalisation of an earlier layer's output, `[B,N,width]`.
    ///
    /// Parity: `clip_skip` of diffusers' `StableDiffusionPipeline.encode_prompt`.
    ///
    /// @param skipped layers, 0 for `last`
    public Var conditioning(Encoding e, int skipped) {
        return skipped == 0 ? e.last() : finalNorm.forward(e.hiddenStates().get(layers.size() - skipped));
    }

    private Var pooled(Tape t, Var last, int[][] ids) {
        int length = ids[0].length;
        int[] rows = new int[ids.length];
        for (int b = 0; b < rows.length; b++) {
            rows[b] = b * length + endPosition(ids[b]);
        }
        return last.reshape(ids.length * length, config.width()).apply(new GatherRows(), t.constant(t.backend().ints("ends", Shape.of(rows.length), rows)));
    }

    /// The first end token; without one the first place, as upstream's argmax has it.
    private int endPosition(int[] row) {
        int best = 0;
        for (int i = 0; i < row.length; i++) {
            if (config.endToken() == ClipTextConfig.LEGACY_END_TOKEN) {
                best = row[i] > row[best] ? i : best;
            } else if (row[i] == config.endToken()) {
                return i;
            }
        }
        return best;
    }

    private void check(int[][] ids) {
        if (ids.length == 0 || ids[0].length == 0 || ids[0].length > config.positions()) {
            throw new IllegalArgumentException("text encoder: takes rows of 1.." + config.positions() + " ids, got " + (ids.length == 0 ? "no row" : ids[0].length));
        }
        for (int[] row : ids) {
            if (row.length != ids[0].length) {
                throw new IllegalArgumentException("text encoder: rows must be equally long, got " + ids[0].length + " and " + row.length);
            }
            for (int id : row) {
                if (id < 0 || id >= config.vocabulary()) {
                    throw new IllegalArgumentException("text encoder: ids must be 0.." + (config.vocabulary() - 1) + ", got " + id);
                }
            }
        }
    }

    private static int[] flat(int[][] rows) {
        int[] all = new int[rows.length * rows[0].length];
        for (int b = 0; b < rows.length; b++) {
            System.arraycopy(rows[b], 0, all, b * rows[0].length, rows[0].length);
        }
        return all;
    }
}
