package dev.retrograd.cuda.emulator;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.emulator.MemoryOps.Place;

/// `ldmatrix` and `mma.sync`: matrices spread over the lanes of a warp. Source: NVIDIA's PTX ISA, 9.7.14, the figures of fragments.
final class MatrixOps {
    private static final int ROWS = 16;
    private static final int COLUMNS = 8;
    private static final int TF32_BITS = 0xFFFFE000;

    private MatrixOps() {
    }

    /// Loads 8×8 matrices of 16-bit elements: lanes 8i … 8i + 7 give the rows' addresses of matrix i.
    static final class LoadMatrix extends Op {
        private static final int ROW_BYTES = 16;
        private final Place place;
        private final boolean transposed;
        private final int[] targets;

        LoadMatrix(Place place, boolean transposed, int... targets) {
            this.place = place;
            this.transposed = transposed;
            this.targets = targets;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, Warp.ALL, mask);
            int[][] results = new int[targets.length][Warp.LANES];
            for (int matrix = 0; matrix < targets.length; matrix++) {
                for (int row = 0; row < 8; row++) {
                    int lane = matrix * 8 + row;
                    long address = place.address(w, lane);
                    Region region = MemoryOps.region(w, this, lane, place.space(), address, ROW_BYTES, false);
                    int at = MemoryOps.at(region, place.space(), address);
                    region.reading(w, this, lane, at, ROW_BYTES);
                    if (!region.isWritten(at, ROW_BYTES)) {
                        throw MemoryOps.unwritten(w, this, lane, region, at, ROW_BYTES);
                    }
                    for (int column = 0; column < 8; column++) {
                        int value = (int) region.get(at + 2 * column, 2);
                        int r = transposed ? column : row;
                        int c = transposed ? row : column;
                        results[matrix][r * 4 + c / 2] |= value << 16 * (c % 2);
                    }
                }
            }
            for (int matrix = 0; matrix < targets.length; matrix++) {
                System.arraycopy(results[matrix], 0, w.r, targets[matrix], Warp.LANES);
            }
        }
    }

    enum Element {
        F16, BF16, TF32
    }

    /// `d = a·b + c` with a `[16,k]`, b `[k,8]` and float32 c and d; products are exact, their sum is rounded once.
    static final class Multiply extends Op {
        private final Element element;
        private final int k;
        private final int[] d;
        private final int[] a;
        private final int[] b;
        private final int[] c;

        Multiply(Element element, int k, int[] d, int[] a, int[] b, int[] c) {
            this.element = element;
            this.k = k;
            this.d = d;
            this.a = a;
            this.b = b;
            this.c = c;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, Warp.ALL, mask);
            float[] left = new float[ROWS * k];
            float[] right = new float[COLUMNS * k];
            for (int lane = 0; lane < Warp.LANES; lane++) {
                int group = lane / 4;
                int t = lane % 4;
                for (int i = 0; i < a.length; i++) {
                    // registers go down the rows first, then along k
                    spread(left, (group + 8 * (i % 2)) * k, i / 2, t, w.r[a[i] + lane]);
                }
                for (int i = 0; i < b.length; i++) {
                    spread(right, group * k, i, t, w.r[b[i] + lane]);
                }
            }
            int[][] results = new int[d.length][Warp.LANES];
            for (int lane = 0; lane < Warp.LANES; lane++) {
                for (int i = 0; i < d.length; i++) {
                    int row = lane / 4 + 8 * (i / 2);
                    int column = lane % 4 * 2 + i % 2;
                    double sum = Float.intBitsToFloat(w.r[c[i] + lane]);
                    for (int p = 0; p < k; p++) {
                        sum += (double) left[row * k + p] * right[column * k + p];
                    }
                    results[i][lane] = Float.floatToRawIntBits((float) sum);
                }
            }
            for (int i = 0; i < d.length; i++) {
                System.arraycopy(results[i], 0, w.r, d[i], Warp.LANES);
            }
        }

        /// Puts the one or two elements of a register into a row of k.
        private void spread(float[] matrix, int row, int part, int t, int bits) {
            switch (element) {
                case TF32 -> matrix[row + part * 4 + t] = Float.intBitsToFloat(bits & TF32_BITS);
                case F16 -> {
                    matrix[row + part * 8 + t * 2] = Float.float16ToFloat((short) bits);
                    matrix[row + part * 8 + t * 2 + 1] = Float.float16ToFloat((short) (bits >>> 16));
                }
                case BF16 -> {
                    matrix[row + part * 8 + t * 2] = DType.bf16ToFloat((short) bits);
                    matrix[row + part * 8 + t * 2 + 1] = DType.bf16ToFloat((short) (bits >>> 16));
                }
            }
        }
    }
}
