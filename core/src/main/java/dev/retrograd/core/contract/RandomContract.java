package dev.retrograd.core.contract;

import static dev.retrograd.core.testing.Claims.assertArrayEquals;

import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Spec;
import dev.retrograd.core.contract.Twins.Twin;

public interface RandomContract extends Contract {

    /// Rows of a stream each, as images have them; 16 divides the first length only.
    @Case default void normalValuesHaveTheStreamsBits() {
        for (int n : new int[] {64, 16, 17, 31, 207}) {
            int rows = 3;
            int m = new RandomStream(0).uniformsOfNormals(n).length;
            double[] uniforms = new double[rows * m];
            double[] expected = new double[rows * n];
            for (int row = 0; row < rows; row++) {
                put(new RandomStream(row).uniformsOfNormals(n), uniforms, row * m);
                put(new RandomStream(row).randn(n), expected, row * n);
            }
            Twin u = twins().of(Spec.f32(rows, m), uniforms);
            Twin y = twins().singleOutput(rows, n);
            twins().run(s -> s.b().normals(s.of(u), s.of(y)));
            assertArrayEquals(expected, twins().values(y), "rows of " + n);
        }
    }

    /// The ends of the interval, and angles in every octant.
    @Case default void normalValuesOfTheLargestAndSmallestUniforms() {
        float[] uniforms = new float[32];
        for (int i = 0; i < uniforms.length; i++) {
            float angle = (i % 16 - 8) / 8f + i / 16 * 0.0625f;
            float extreme = i % 2 == 0 ? 0 : 1 - 0x1p-24f;
            uniforms[i] = i % 16 < 8 ? extreme : angle;
        }
        double[] given = new double[32];
        put(uniforms, given, 0);
        Twin u = twins().of(Spec.f32(1, 32), given);
        Twin y = twins().singleOutput(1, 32);
        twins().run(s -> s.b().normals(s.of(u), s.of(y)));
        twins().agreeExactly("normals of extreme uniforms", y);
    }

    private static void put(float[] from, double[] to, int at) {
        for (int i = 0; i < from.length; i++) {
            to[at + i] = from[i];
        }
    }
}
