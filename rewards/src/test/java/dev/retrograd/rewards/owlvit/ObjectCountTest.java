package dev.retrograd.rewards.owlvit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.RewardContract;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ObjectCountTest extends RewardContract {
    private static final float[] LEFT = {0.2f, 0.5f, 0.2f, 0.2f};
    private static final float[] RIGHT = {0.8f, 0.5f, 0.2f, 0.2f};
    private static final float[] RIGHT_MOVED = {0.81f, 0.5f, 0.2f, 0.2f};

    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyOwlVit.write(folder);
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return ObjectCount.load(b, folder, ClipTokenizer.load(folder), "cat", 5);
    }

    private static double count(float[] confidences, float[]... boxes) {
        float[] flat = new float[4 * boxes.length];
        for (int i = 0; i < boxes.length; i++) {
            System.arraycopy(boxes[i], 0, flat, 4 * i, 4);
        }
        try (CpuBackend b = new CpuBackend(); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(ObjectCount.count(t.constant(b.floats("c", Shape.of(1, boxes.length), confidences)),
                    t.constant(b.floats("boxes", Shape.of(1, boxes.length, 4), flat))).value())[0];
        }
    }

    @Test void objectsApartAddUp() {
        assertEquals(2, count(new float[] {0.9f, 0.8f}, LEFT, RIGHT), 1e-3);
    }

    @Test void boxesOfOneObjectCountOnce() {
        assertEquals(1, count(new float[] {0.9f, 0.8f}, RIGHT, RIGHT), 1e-3);
        assertEquals(2, count(new float[] {0.9f, 0.8f, 0.7f}, LEFT, RIGHT, RIGHT_MOVED), 1e-2);
    }

    @Test void backgroundCountsNextToNothing() {
        assertEquals(1, count(new float[] {0.9f, 0.01f}, LEFT, RIGHT), 2e-3);
        assertEquals(0.5, count(new float[] {0.1f}, LEFT), 1e-3);
    }

    @Test void gradientOfTheCountIsRightForOverlappingBoxes() {
        new GradientCheck(3).uniform(0.05, 0.3, 2, 5).uniform(0.4, 0.6, 2, 5, 4).within(1e-6, 1e-5).check(v -> ObjectCount.count(v[0], v[1]));
    }

    @Test void refusesTargetsThatAreNoCounts() throws IOException {
        ClipTokenizer tokenizer = ClipTokenizer.load(folder);
        try (CpuBackend b = new CpuBackend()) {
            for (double target : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
                String message = assertThrows(IllegalArgumentException.class, () -> ObjectCount.load(b, folder, tokenizer, "cat", target)).getMessage();
                assertEquals("object count: the target must be 0 or more, got " + target, message);
            }
        }
    }
}
