package dev.retrograd.trainer.method;

import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.PixelBatch;
import java.util.List;
import java.util.stream.IntStream;

/// One update as the training loop hands it to a method: which images, and where their prompts and noise come from.
public interface Update {

    /// Counted from 0.
    int number();

    /// Images per update.
    int images();

    /// Images that go through the chain together; changes memory and time, not what is computed.
    int microBatch();

    /// Prompts and noise of images, in the innermost open scope: the same whenever they are asked for.
    ///
    /// @param draw number of the update that the images are drawn for; usually {@link #number}
    /// @param first of the images, numbered from 0 within that draw
    Batch batch(int draw, int first, int count);

    /// The prompts of images, numbered as for {@link #batch}.
    List<String> prompts(int draw, int first, int count);

    /// Text embedding of prompts, as {@link Batch#context}, in the innermost open scope.
    Tensor context(List<String> prompts);

    /// Shape of so many latents, `[count,H,W,C]`.
    Shape latents(int count);

    /// A random stream that depends on nothing but the run's seed, the number of an update, and the key.
    RandomStream stream(int draw, long... key);

    /// Whether {@link #measure} does anything.
    boolean measures();

    /// Measures images beside their reward; to be called once for each image, outside of the scopes that made it.
    void measure(PixelBatch images, List<String> prompts);

    /// Hears how much of the work is done; not where a replica computes.
    void progress(String what, long done, long total);

    /// Micro-batches of so many images that are drawn for this update.
    default List<MicroBatch> microBatches(String kind, int images) {
        return IntStream.iterate(0, first -> first < images, first -> first + microBatch())
                .mapToObj(first -> new MicroBatch(kind, number(), first, Math.min(microBatch(), images - first))).toList();
    }
}
