package dev.retrograd.rewards.owlvit;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// How close the number of objects in an image is to a wanted one: `−|target − n|`, 0 at best, with a soft count n of OWL-ViT's boxes.
///
/// With the confidence c of each patch, `g = c⁴/(c⁴ + 0.1⁴)` is about 1 for what the detector reports (0.1 is its usual threshold) and about 0 for
/// background. Patches that see the same object share it: `n = Σ_p g_p / (1 + Σ_{q≠p} g_q·σ((IoU(p,q) − ½)/0.05))`, so that k equal boxes count as one.
///
/// Limits: objects that overlap by half or more count as one; boxes of one object that overlap less count several times; far from any
/// object g is flat, so that a wanted object appears only where there is a trace of one. The AlignProp paper's abstract names the goal and
/// defines no reward; this formula is ours. It holds the model in backend memory; {@link #close()} frees it.
public final class ObjectCount implements DifferentiableReward {
    private static final double THRESHOLD = 0.1;
    private static final double SAME_FROM = 0.5;
    private static final double SAME_WIDTH = 0.05;

    private final Query query;
    private final double target;

    private ObjectCount(Query query, double target) {
        this.query = query;
        this.target = target;
    }

    /// @param folder OWL-ViT as transformers has it
    /// @param tokenizer with CLIP's vocabulary
    /// @param object what is counted
    /// @param target how many there should be, 0 or more
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link OwlVit#load}
    /// @throws IllegalArgumentException if the target is negative or no number
    public static ObjectCount load(Backend backend, Path folder, ClipTokenizer tokenizer, String object, double target) throws IOException {
        if (!(target >= 0 && target < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException("object count: the target must be 0 or more, got " + target);
        }
        return new ObjectCount(Query.load(backend, folder, tokenizer, object), target);
    }

    @Override public String name() {
        return "object-count";
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]
    /// @param prompts not read
    @Override public Var score(Var pixels, List<String> prompts) {
        Var patches = query.patches(pixels);
        Var count = pixels.tape().segment1("count", in -> count(in[0], in[1]), query.confidences(patches), query.boxes(patches));
        return count.affine(1, -target).apply(Unary.ABS).affine(-1, 0);
    }

    /// The soft count.
    ///
    /// @param confidences `[B,P]`
    /// @param boxes `[B,P,4]`
    /// @return `[B]`
    static Var count(Var confidences, Var boxes) {
        int batch = confidences.dim(0);
        int patches = confidences.dim(1);
        Var fourth = confidences.apply(Unary.pow(4));
        Var g = fourth.dividedBy(fourth.affine(1, Math.pow(THRESHOLD, 4)));
        Var same = overlaps(boxes).affine(1 / SAME_WIDTH, -SAME_FROM / SAME_WIDTH).apply(Unary.SIGMOID);
        Var seenBy = same.times(g.reshape(batch, 1, patches)).apply(new SumTo(Shape.of(batch, patches, 1), 1)).reshape(batch, patches);
        // A patch overlaps itself entirely: its own share, taken out again.
        double itself = 1 / (1 + Math.exp(-(1 - SAME_FROM) / SAME_WIDTH));
        Var others = seenBy.plus(g.affine(-itself, 1));
        return g.dividedBy(others).apply(new SumTo(Shape.of(batch, 1), 1)).reshape(batch);
    }

    /// Intersection over union of each box with each, `[B,P,P]`.
    private static Var overlaps(Var boxes) {
        Var width = side(boxes, 2);
        Var height = side(boxes, 3);
        Var intersection = shared(side(boxes, 0), width).times(shared(side(boxes, 1), height));
        Var area = width.times(height);
        return intersection.dividedBy(area.plus(across(area)).minus(intersection));
    }

    /// One of the four numbers of each box, `[B,P,1]`.
    private static Var side(Var boxes, int which) {
        return boxes.apply(new Slice(2, which, 1));
    }

    /// `[B,P,1]` as `[B,1,P]`.
    private static Var across(Var x) {
        return x.reshape(x.dim(0), 1, x.dim(1));
    }

    /// Length that each two intervals share: the smaller end less the larger start, none below 0.
    private static Var shared(Var centre, Var size) {
        Var start = centre.plus(size.affine(-0.5, 0));
        Var end = centre.plus(size.affine(0.5, 0));
        Var smallerEnd = end.minus(end.minus(across(end)).apply(Unary.RELU));
        Var largerStart = start.plus(across(start).minus(start).apply(Unary.RELU));
        return smallerEnd.minus(largerStart).apply(Unary.RELU);
    }

    @Override public void close() {
        query.close();
    }
}
