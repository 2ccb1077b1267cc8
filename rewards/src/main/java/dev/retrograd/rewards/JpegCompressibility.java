package dev.retrograd.rewards;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import java.util.List;

/// How well, or how badly, an image compresses: an estimate of its size as a JPEG file in KB (1000 bytes), signed by the goal.
///
/// Differentiable throughout: RGB to YCbCr, chroma averaging, DCT, quantisation, and a smooth count of the entropy coder's bits fitted to
/// the JDK's encoder ({@link JpegFileSize} is what it estimates). The predictor of the AlignProp paper (arXiv 2310.03739, §5) is unpublished; this one
/// stands in its place. Source: arXiv 2305.13301, §5.1 (the reward); arXiv 2309.17400 (differentiable rounding).
public final class JpegCompressibility implements DifferentiableReward {
    private final FileSizeGoal goal;
    private final DifferentiableJpeg codec;
    private final JpegRate rate;

    /// As in the literature: quality 95, 4:2:0.
    public JpegCompressibility(Backend backend, FileSizeGoal goal) {
        this(backend, goal, JpegSettings.DDPO);
    }

    /// Its constants live until {@link #close()}.
    public JpegCompressibility(Backend backend, FileSizeGoal goal, JpegSettings settings) {
        this.goal = goal;
        codec = new DifferentiableJpeg(backend, settings);
        rate = new JpegRate(codec);
    }

    @Override public String name() {
        return goal.rewardName();
    }

    /// @param pixels `F32 [B,H,W,3]` RGB in [0,1]
    /// @param prompts not read
    @Override public Var score(Var pixels, List<String> prompts) {
        return rate.kilobytes(pixels).affine(goal.sign(), 0).reshape(pixels.dim(0));
    }

    @Override public void close() {
        codec.close();
    }
}
