package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/// Tiles of 128-bit vectors: 6×8 (12 of 16 registers accumulate), 2×8 at the lower edge.
final class VectorKernel128 extends VectorKernel {

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_128;
    private static final IntVector ZIP_LOW = Vectors.zip(IntVector.SPECIES_128, 0);
    private static final IntVector ZIP_HIGH = Vectors.zip(IntVector.SPECIES_128, F.length() / 2);

    VectorKernel128() {
        super(F.length(), 6, 2);
    }

    @Override void tile(float[] a, int at, long b, int depth, float[] out) {
        FloatVector c0l = FloatVector.zero(F), c0r = FloatVector.zero(F), c1l = FloatVector.zero(F), c1r = FloatVector.zero(F);
        FloatVector c2l = FloatVector.zero(F), c2r = FloatVector.zero(F), c3l = FloatVector.zero(F), c3r = FloatVector.zero(F);
        FloatVector c4l = FloatVector.zero(F), c4r = FloatVector.zero(F), c5l = FloatVector.zero(F), c5r = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 32L, LE);
            FloatVector br = FloatVector.fromMemorySegment(F, ALL, b + p * 32L + 16, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0l = a0.fma(bl, c0l);
            c0r = a0.fma(br, c0r);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1l = a1.fma(bl, c1l);
            c1r = a1.fma(br, c1r);
            FloatVector a2 = FloatVector.broadcast(F, a[at + p + 2 * KC]);
            c2l = a2.fma(bl, c2l);
            c2r = a2.fma(br, c2r);
            FloatVector a3 = FloatVector.broadcast(F, a[at + p + 3 * KC]);
            c3l = a3.fma(bl, c3l);
            c3r = a3.fma(br, c3r);
            FloatVector a4 = FloatVector.broadcast(F, a[at + p + 4 * KC]);
            c4l = a4.fma(bl, c4l);
            c4r = a4.fma(br, c4r);
            FloatVector a5 = FloatVector.broadcast(F, a[at + p + 5 * KC]);
            c5l = a5.fma(bl, c5l);
            c5r = a5.fma(br, c5r);
        }
        c0l.intoArray(out, 0);
        c0r.intoArray(out, 4);
        c1l.intoArray(out, 8);
        c1r.intoArray(out, 12);
        c2l.intoArray(out, 16);
        c2r.intoArray(out, 20);
        c3l.intoArray(out, 24);
        c3r.intoArray(out, 28);
        c4l.intoArray(out, 32);
        c4r.intoArray(out, 36);
        c5l.intoArray(out, 40);
        c5r.intoArray(out, 44);
    }

    @Override void tileNarrow(float[] a, int at, long b, int depth, float[] out) {
        FloatVector c0 = FloatVector.zero(F), c1 = FloatVector.zero(F), c2 = FloatVector.zero(F), c3 = FloatVector.zero(F);
        FloatVector c4 = FloatVector.zero(F), c5 = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 32L, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0 = a0.fma(bl, c0);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1 = a1.fma(bl, c1);
            FloatVector a2 = FloatVector.broadcast(F, a[at + p + 2 * KC]);
            c2 = a2.fma(bl, c2);
            FloatVector a3 = FloatVector.broadcast(F, a[at + p + 3 * KC]);
            c3 = a3.fma(bl, c3);
            FloatVector a4 = FloatVector.broadcast(F, a[at + p + 4 * KC]);
            c4 = a4.fma(bl, c4);
            FloatVector a5 = FloatVector.broadcast(F, a[at + p + 5 * KC]);
            c5 = a5.fma(bl, c5);
        }
        c0.intoArray(out, 0);
        c1.intoArray(out, 8);
        c2.intoArray(out, 16);
        c3.intoArray(out, 24);
        c4.intoArray(out, 32);
        c5.intoArray(out, 40);
    }

    @Override void edge(float[] a, int at, long b, int depth, float[] out, int outAt) {
        FloatVector c0l = FloatVector.zero(F), c0r = FloatVector.zero(F), c1l = FloatVector.zero(F), c1r = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 32L, LE);
            FloatVector br = FloatVector.fromMemorySegment(F, ALL, b + p * 32L + 16, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0l = a0.fma(bl, c0l);
            c0r = a0.fma(br, c0r);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1l = a1.fma(bl, c1l);
            c1r = a1.fma(br, c1r);
        }
        c0l.intoArray(out, outAt + 0);
        c0r.intoArray(out, outAt + 4);
        c1l.intoArray(out, outAt + 8);
        c1r.intoArray(out, outAt + 12);
    }

    @Override void edgeNarrow(float[] a, int at, long b, int depth, float[] out, int outAt) {
        FloatVector c0 = FloatVector.zero(F), c1 = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 32L, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0 = a0.fma(bl, c0);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1 = a1.fma(bl, c1);
        }
        c0.intoArray(out, outAt + 0);
        c1.intoArray(out, outAt + 8);
    }

    @Override void transpose(float[] from, int at, int stride, long to, long toStride) {
        IntVector a0 = FloatVector.fromArray(F, from, at).reinterpretAsInts();
        IntVector a1 = FloatVector.fromArray(F, from, at + stride).reinterpretAsInts();
        IntVector a2 = FloatVector.fromArray(F, from, at + 2 * stride).reinterpretAsInts();
        IntVector a3 = FloatVector.fromArray(F, from, at + 3 * stride).reinterpretAsInts();
        IntVector b0 = ZIP_LOW.selectFrom(a0, a2), b1 = ZIP_HIGH.selectFrom(a0, a2);
        IntVector b2 = ZIP_LOW.selectFrom(a1, a3), b3 = ZIP_HIGH.selectFrom(a1, a3);
        IntVector c0 = ZIP_LOW.selectFrom(b0, b2), c1 = ZIP_HIGH.selectFrom(b0, b2);
        IntVector c2 = ZIP_LOW.selectFrom(b1, b3), c3 = ZIP_HIGH.selectFrom(b1, b3);
        c0.intoMemorySegment(ALL, to, LE);
        c1.intoMemorySegment(ALL, to + toStride, LE);
        c2.intoMemorySegment(ALL, to + 2 * toStride, LE);
        c3.intoMemorySegment(ALL, to + 3 * toStride, LE);
    }

    /// Masked access is not native at 128 bits everywhere, so columns beyond a whole vector are single floats.
    @Override void store(float[] tile, int rows, int columns, Update update, long[] target, long shift) {
        FloatVector alpha = FloatVector.broadcast(F, update.alpha());
        int whole = columns & -F.length();
        for (int j = 0; j < whole; j += F.length()) {
            long at = shift + 4L * j;
            FloatVector bias = update.hasBias()
                    ? FloatVector.fromMemorySegment(F, ALL, update.bias() + at, LE) : FloatVector.zero(F);
            for (int r = 0; r < rows; r++) {
                FloatVector v = FloatVector.fromArray(F, tile, r * 2 * F.length() + j).fma(alpha, bias);
                if (update.add()) {
                    v = v.add(FloatVector.fromMemorySegment(F, ALL, target[r] + at, LE));
                }
                v.intoMemorySegment(ALL, target[r] + at, LE);
            }
        }
        for (int j = whole; j < columns; j++) {
            long at = shift + 4L * j;
            for (int r = 0; r < rows; r++) {
                storeOne(tile[r * 2 * F.length() + j], update, at, target[r] + at);
            }
        }
    }

    @Override void storeTurned(long turned, int rows, int columns, Update update, long[] target, long shift) {
        for (int r = 0; r < rows; r++) {
            for (int j = 0; j < columns; j++) {
                long at = shift + 4L * j;
                long from = turned + (r * (long) paddedRows() + j) * 4;
                storeOne(ALL.get(JAVA_FLOAT_UNALIGNED, from), update, at, target[r] + at);
            }
        }
    }

    private static void storeOne(float value, Update update, long at, long to) {
        float bias = update.hasBias() ? ALL.get(JAVA_FLOAT_UNALIGNED, update.bias() + at) : 0;
        float v = Math.fma(value, update.alpha(), bias);
        ALL.set(JAVA_FLOAT_UNALIGNED, to, update.add() ? v + ALL.get(JAVA_FLOAT_UNALIGNED, to) : v);
    }
}
