package dev.retrograd.trainer.evaluate;

/// How much images of one prompt differ: the mean over all pairs of `1 − cosine` of their CLIP features, 0 where all are the same, seldom above 0.5.
///
/// A model that collapses gives every noise the same image. The AlignProp paper (arXiv 2310.03739) shows collapse in pictures and measures none; this is the usual
/// measure of it, as in arXiv 2305.13301's followers.
public final class Diversity {

    private Diversity() {
    }

    /// @param features of unit length, one after another, `[count,width]`
    /// @param width of a feature vector
    /// @param perPrompt images of a prompt, which follow on each other; 2 or more
    /// @return one value for each prompt
    /// @throws IllegalArgumentException unless there are two images of each prompt, and whole prompts
    public static float[] perPrompt(float[] features, int width, int perPrompt) {
        int images = features.length / width;
        if (perPrompt < 2 || images % perPrompt != 0) {
            throw new IllegalArgumentException("diversity: each prompt must have 2 images or more, got " + images + " images by " + perPrompt);
        }
        float[] all = new float[images / perPrompt];
        for (int p = 0; p < all.length; p++) {
            double sum = 0;
            for (int i = 0; i < perPrompt; i++) {
                for (int j = i + 1; j < perPrompt; j++) {
                    sum += 1 - dot(features, (p * perPrompt + i) * width, (p * perPrompt + j) * width, width);
                }
            }
            all[p] = (float) (sum / (perPrompt * (perPrompt - 1) / 2.0));
        }
        return all;
    }

    private static double dot(float[] values, int one, int other, int width) {
        double sum = 0;
        for (int i = 0; i < width; i++) {
            sum += (double) values[one + i] * values[other + i];
        }
        return sum;
    }
}
