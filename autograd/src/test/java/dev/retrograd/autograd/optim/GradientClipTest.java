package dev.retrograd.autograd.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GradientClipTest {
    private final Backend b = new CpuBackend();
    private final Parameter p = Weights.trainable(b, "p", 1, 1);
    private final Parameter q = Weights.trainable(b, "q", 1);
    private final Gradients gradients = new Gradients(b);

    @AfterEach void close() {
        gradients.close();
        p.close();
        q.close();
        b.close();
        assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
    }

    private double[] normAndFactor(GradientClip clip) {
        try (Scope _ = b.memory().open("clip")) {
            GradientClip.Clipped c = clip.apply(b, gradients, List.of(p, q));
            return new double[] {c.norm(b), b.toFloats(c.factor())[0]};
        }
    }

    @Test void scalesByMaximumOverTheGlobalNorm() {
        Weights.differentiate(b, p, gradients, 2, 3);
        Weights.differentiate(b, q, gradients, 6);
        assertArrayEquals(new double[] {7, 2 / (7 + 1e-6)}, normAndFactor(new GradientClip(2)), 1e-7);
        assertArrayEquals(new float[] {2, 3}, b.toFloats(gradients.of(p).orElseThrow()), "the gradients stay as they are");
    }

    @Test void neverEnlarges() {
        Weights.differentiate(b, p, gradients, 2, 3);
        Weights.differentiate(b, q, gradients, 6);
        assertArrayEquals(new double[] {7, 1}, normAndFactor(new GradientClip(7.5)));
        assertArrayEquals(new double[] {7, 1}, normAndFactor(GradientClip.NONE));
    }

    @Test void parametersWithoutGradientCountAsZero() {
        Weights.differentiate(b, p, gradients, 3, 4);
        assertArrayEquals(new double[] {5, 1 / (5 + 1e-6)}, normAndFactor(new GradientClip(1)), 1e-7);
    }

    @Test void aGradientThatIsNotANumberShows() {
        Weights.differentiate(b, p, gradients, 3, Float.NaN);
        double[] c = normAndFactor(new GradientClip(1));
        assertTrue(Double.isNaN(c[0]) && Double.isNaN(c[1]), "norm " + c[0] + ", factor " + c[1]);
    }

    @Test void saysWhatItTakes() {
        assertEquals("clip: the maximum norm must be above 0, got 0.0", assertThrows(IllegalArgumentException.class, () -> new GradientClip(0)).getMessage());
        assertEquals("clip: the maximum norm must be above 0, got NaN",
                assertThrows(IllegalArgumentException.class, () -> new GradientClip(Double.NaN)).getMessage());
        assertEquals("clip: one of the 2 parameters or more must have a gradient, got none",
                assertThrows(IllegalStateException.class, () -> GradientClip.NONE.apply(b, gradients, List.of(p, q))).getMessage());
    }
}
