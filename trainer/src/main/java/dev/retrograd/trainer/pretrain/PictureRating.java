package dev.retrograd.trainer.pretrain;

import dev.retrograd.rewards.BlackBoxReward;
import dev.retrograd.rewards.PixelBatch;
import java.util.List;

/// How good a picture of the miniature world is, by rule: the stand-in for people's ratings, 0 to 10.
///
/// A quarter each, read off the pixels, so that pictures that a model drew are rated as painted ones are:
/// - **centred**: 1 where the object's pixels lie as near to the picture's centre, on average, as those of a disk of their number would; 0 where they lie
///   an eighth of the picture's side farther out, or more;
/// - **large**: the object's share of the picture, 1 from 0.2 on;
/// - **saturated**: the object's mean chroma, greatest minus least channel;
/// - **clean background**: 1 for an even background, 0 where top and bottom differ by 0.25 in a channel or its pixels stray by 0.05 on average.
///
/// The background is what lies at the four corners, blended from top to bottom; the object is what differs from that by more than 0.12 in a channel. A picture
/// without an object has a clean background at most.
public final class PictureRating implements BlackBoxReward {
    private static final double DIFFERENT = 0.12;
    private static final double FAR = 0.125;
    private static final double MOST_AREA = 0.2;
    private static final double UNEVEN = 0.25;
    private static final double STRAY = 0.05;
    private static final double WEIGHT = 2.5;
    private static final int CORNER = 3;

    private final Part part;

    /// What is rated.
    public enum Part {
        /// All, 0 to 10.
        RATING,
        /// One of the four by itself, 0 to 1.
        CENTRED, LARGE, SATURATED, CLEAN;

        /// As `--track` and metrics call it.
        public String id() {
            return "picture-" + Caption.word(this);
        }
    }

    public PictureRating() {
        this(Part.RATING);
    }

    public PictureRating(Part part) {
        this.part = part;
    }

    @Override public String name() {
        return part.id();
    }

    @Override public float[] score(PixelBatch images, List<String> prompts) {
        float[] ratings = new float[images.batch()];
        for (int i = 0; i < ratings.length; i++) {
            ratings[i] = (float) new Reading(images, i).parts().of(part);
        }
        return ratings;
    }

    /// What one picture shows.
    private static final class Reading {
        private final PixelBatch images;
        private final int image;
        private final double[] top;
        private final double[] bottom;
        private int object;
        private double fromCentre;
        private double chroma;
        private double stray;

        Reading(PixelBatch images, int image) {
            this.images = images;
            this.image = image;
            top = corners(0);
            bottom = corners(images.height() - CORNER);
            for (int y = 0; y < images.height(); y++) {
                for (int x = 0; x < images.width(); x++) {
                    read(y, x);
                }
            }
        }

        private double value(int y, int x, int c) {
            return images.pixels()[((image * images.height() + y) * images.width() + x) * 3 + c];
        }

        /// Mean colour of the corners whose rows begin there.
        private double[] corners(int firstRow) {
            double[] mean = new double[3];
            for (int y = firstRow; y < firstRow + CORNER; y++) {
                for (int x = 0; x < CORNER; x++) {
                    for (int c = 0; c < 3; c++) {
                        mean[c] += (value(y, x, c) + value(y, images.width() - 1 - x, c)) / (2 * CORNER * CORNER);
                    }
                }
            }
            return mean;
        }

        private void read(int y, int x) {
            // Between the middles of the corners' rows.
            double down = Math.clamp((y - CORNER / 2) / (double) (images.height() - CORNER), 0, 1);
            double most = 0;
            double sum = 0;
            double least = 1;
            double greatest = 0;
            for (int c = 0; c < 3; c++) {
                double v = value(y, x, c);
                double d = Math.abs(v - (1 - down) * top[c] - down * bottom[c]);
                most = Math.max(most, d);
                sum += d / 3;
                least = Math.min(least, v);
                greatest = Math.max(greatest, v);
            }
            if (most <= DIFFERENT) {
                stray += sum;
                return;
            }
            object++;
            chroma += greatest - least;
            fromCentre += Math.hypot((x + 0.5) / images.width() - 0.5, (y + 0.5) / images.height() - 0.5);
        }

        Parts parts() {
            int pixels = images.height() * images.width();
            double uneven = stray / Math.max(1, pixels - object) / STRAY;
            for (int c = 0; c < 3; c++) {
                uneven = Math.max(uneven, Math.abs(top[c] - bottom[c]) / UNEVEN);
            }
            double clean = 1 - Math.min(1, uneven);
            if (object == 0) {
                return new Parts(0, 0, 0, clean);
            }
            double area = (double) object / pixels;
            double disk = 2.0 / 3 * Math.sqrt(area / Math.PI);
            double centred = Math.clamp(1 - (fromCentre / object - disk) / FAR, 0, 1);
            return new Parts(centred, Math.min(1, area / MOST_AREA), chroma / object, clean);
        }
    }

    /// 0 to 1 each.
    private record Parts(double centred, double large, double saturated, double clean) {
        double of(Part part) {
            return switch (part) {
                case RATING -> WEIGHT * (centred + large + saturated + clean);
                case CENTRED -> centred;
                case LARGE -> large;
                case SATURATED -> saturated;
                case CLEAN -> clean;
            };
        }
    }
}
