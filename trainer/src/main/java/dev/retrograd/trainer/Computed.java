package dev.retrograd.trainer;

import dev.retrograd.trainer.method.MicroBatch;
import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// A micro-batch, computed: on the host, so that it does not matter where.
///
/// @param gradients of the trained weights, in the order of {@link dev.retrograd.unet.LoraWeights#parameters}; `null` for one that nothing depends on
/// @param unplanned tensors that came otherwise than planned, and lie beside the block for the others
/// @param measured scores of its images by what is tracked beside the reward, by name
public record Computed(MicroBatch.Result result, float[][] gradients, long unplanned, SequencedMap<String, float[]> measured) implements Serializable {

    public Computed {
        measured = new LinkedHashMap<>(measured);
    }
}
