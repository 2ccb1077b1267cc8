package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/// Tiles of 256-bit vectors: 6×16 (12 of 16 registers accumulate), 2×16 at the lower edge.
final class VectorKernel256 extends VectorKernel {

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    private static final IntVector ZIP_LOW = Vectors.zip(IntVector.SPECIES_256, 0);
    private static final IntVector ZIP_HIGH = Vectors.zip(IntVector.SPECIES_256, F.length() / 2);

    VectorKernel256() {
        super(F.length(), 6, 2);
    }

    @Override void tile(float[] a, int at, long b, int depth, float[] out) {
        FloatVector c0l = FloatVector.zero(F), c0r = FloatVector.zero(F), c1l = FloatVector.zero(F), c1r = FloatVector.zero(F);
        FloatVector c2l = FloatVector.zero(F), c2r = FloatVector.zero(F), c3l = FloatVector.zero(F), c3r = FloatVector.zero(F);
        FloatVector c4l = FloatVector.zero(F), c4r = FloatVector.zero(F), c5l = FloatVector.zero(F), c5r = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 64L, LE);
            FloatVector br = FloatVector.fromMemorySegment(F, ALL, b + p * 64L + 32, LE);
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
        c0r.intoArray(out, 8);
        c1l.intoArray(out, 16);
        c1r.intoArray(out, 24);
        c2l.intoArray(out, 32);
        c2r.intoArray(out, 40);
        c3l.intoArray(out, 48);
        c3r.intoArray(out, 56);
        c4l.intoArray(out, 64);
        c4r.intoArray(out, 72);
        c5l.intoArray(out, 80);
        c5r.intoArray(out, 88);
    }

    @Override void tileNarrow(float[] a, int at, long b, int depth, float[] out) {
        FloatVector c0 = FloatVector.zero(F), c1 = FloatVector.zero(F), c2 = FloatVector.zero(F), c3 = FloatVector.zero(F);
        FloatVector c4 = FloatVector.zero(F), c5 = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 64L, LE);
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
        c1.intoArray(out, 16);
        c2.intoArray(out, 32);
        c3.intoArray(out, 48);
        c4.intoArray(out, 64);
        c5.intoArray(out, 80);
    }

    @Override void edge(float[] a, int at, long b, int depth, float[] out, int outAt) {
        FloatVector c0l = FloatVector.zero(F), c0r = FloatVector.zero(F), c1l = FloatVector.zero(F), c1r = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 64L, LE);
            FloatVector br = FloatVector.fromMemorySegment(F, ALL, b + p * 64L + 32, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0l = a0.fma(bl, c0l);
            c0r = a0.fma(br, c0r);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1l = a1.fma(bl, c1l);
            c1r = a1.fma(br, c1r);
        }
        c0l.intoArray(out, outAt + 0);
        c0r.intoArray(out, outAt + 8);
        c1l.intoArray(out, outAt + 16);
        c1r.intoArray(out, outAt + 24);
    }

    @Override void edgeNarrow(float[] a, int at, long b, int depth, float[] out, int outAt) {
        FloatVector c0 = FloatVector.zero(F), c1 = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 64L, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0 = a0.fma(bl, c0);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1 = a1.fma(bl, c1);
        }
        c0.intoArray(out, outAt + 0);
        c1.intoArray(out, outAt + 16);
    }

    @Override void transpose(float[] from, int at, int stride, long to, long toStride) {
        IntVector a0 = FloatVector.fromArray(F, from, at).reinterpretAsInts();
        IntVector a1 = FloatVector.fromArray(F, from, at + stride).reinterpretAsInts();
        IntVector a2 = FloatVector.fromArray(F, from, at + 2 * stride).reinterpretAsInts();
        IntVector a3 = FloatVector.fromArray(F, from, at + 3 * stride).reinterpretAsInts();
        IntVector a4 = FloatVector.fromArray(F, from, at + 4 * stride).reinterpretAsInts();
        IntVector a5 = FloatVector.fromArray(F, from, at + 5 * stride).reinterpretAsInts();
        IntVector a6 = FloatVector.fromArray(F, from, at + 6 * stride).reinterpretAsInts();
        IntVector a7 = FloatVector.fromArray(F, from, at + 7 * stride).reinterpretAsInts();
        IntVector b0 = ZIP_LOW.selectFrom(a0, a4), b1 = ZIP_HIGH.selectFrom(a0, a4);
        IntVector b2 = ZIP_LOW.selectFrom(a1, a5), b3 = ZIP_HIGH.selectFrom(a1, a5);
        IntVector b4 = ZIP_LOW.selectFrom(a2, a6), b5 = ZIP_HIGH.selectFrom(a2, a6);
        IntVector b6 = ZIP_LOW.selectFrom(a3, a7), b7 = ZIP_HIGH.selectFrom(a3, a7);
        IntVector c0 = ZIP_LOW.selectFrom(b0, b4), c1 = ZIP_HIGH.selectFrom(b0, b4);
        IntVector c2 = ZIP_LOW.selectFrom(b1, b5), c3 = ZIP_HIGH.selectFrom(b1, b5);
        IntVector c4 = ZIP_LOW.selectFrom(b2, b6), c5 = ZIP_HIGH.selectFrom(b2, b6);
        IntVector c6 = ZIP_LOW.selectFrom(b3, b7), c7 = ZIP_HIGH.selectFrom(b3, b7);
        IntVector d0 = ZIP_LOW.selectFrom(c0, c4), d1 = ZIP_HIGH.selectFrom(c0, c4);
        IntVector d2 = ZIP_LOW.selectFrom(c1, c5), d3 = ZIP_HIGH.selectFrom(c1, c5);
        IntVector d4 = ZIP_LOW.selectFrom(c2, c6), d5 = ZIP_HIGH.selectFrom(c2, c6);
        IntVector d6 = ZIP_LOW.selectFrom(c3, c7), d7 = ZIP_HIGH.selectFrom(c3, c7);
        d0.intoMemorySegment(ALL, to, LE);
        d1.intoMemorySegment(ALL, to + toStride, LE);
        d2.intoMemorySegment(ALL, to + 2 * toStride, LE);
        d3.intoMemorySegment(ALL, to + 3 * toStride, LE);
        d4.intoMemorySegment(ALL, to + 4 * toStride, LE);
        d5.intoMemorySegment(ALL, to + 5 * toStride, LE);
        d6.intoMemorySegment(ALL, to + 6 * toStride, LE);
        d7.intoMemorySegment(ALL, to + 7 * toStride, LE);
    }

    @Override void store(float[] tile, int rows, int columns, Update update, long[] target, long shift) {
        if (columns == 2 * F.length()) {
            storeFull(tile, rows, update, target, shift);
            return;
        }
        int lanes = F.length();
        int left = Math.min(columns, lanes);
        storeHalf(tile, 0, rows, left, update, target, shift);
        if (columns > lanes) {
            storeHalf(tile, lanes, rows, columns - lanes, update, target, shift + 4L * lanes);
        }
    }

    private static void storeFull(float[] tile, int rows, Update update, long[] target, long shift) {
        long right = 4L * F.length();
        FloatVector alpha = FloatVector.broadcast(F, update.alpha());
        FloatVector biasLeft = FloatVector.zero(F), biasRight = biasLeft;
        if (update.hasBias()) {
            biasLeft = FloatVector.fromMemorySegment(F, ALL, update.bias() + shift, LE);
            biasRight = FloatVector.fromMemorySegment(F, ALL, update.bias() + shift + right, LE);
        }
        for (int r = 0; r < rows; r++) {
            int from = r * 2 * F.length();
            long to = target[r] + shift;
            FloatVector l = FloatVector.fromArray(F, tile, from).fma(alpha, biasLeft);
            FloatVector h = FloatVector.fromArray(F, tile, from + F.length()).fma(alpha, biasRight);
            if (update.add()) {
                l = l.add(FloatVector.fromMemorySegment(F, ALL, to, LE));
                h = h.add(FloatVector.fromMemorySegment(F, ALL, to + right, LE));
            }
            l.intoMemorySegment(ALL, to, LE);
            h.intoMemorySegment(ALL, to + right, LE);
        }
    }

    private static void storeHalf(float[] tile, int at, int rows, int columns, Update update, long[] target, long shift) {
        VectorMask<Float> mask = F.indexInRange(0, columns);
        FloatVector alpha = FloatVector.broadcast(F, update.alpha());
        FloatVector bias = update.hasBias()
                ? FloatVector.fromMemorySegment(F, ALL, update.bias() + shift, LE, mask) : FloatVector.zero(F);
        for (int r = 0; r < rows; r++) {
            long to = target[r] + shift;
            FloatVector v = FloatVector.fromArray(F, tile, at + r * 2 * F.length()).fma(alpha, bias);
            if (update.add()) {
                v = v.add(FloatVector.fromMemorySegment(F, ALL, to, LE, mask));
            }
            v.intoMemorySegment(ALL, to, LE, mask);
        }
    }

    @Override void storeTurned(long turned, int rows, int columns, Update update, long[] target, long shift) {
        VectorMask<Float> mask = F.indexInRange(0, columns);
        FloatVector alpha = FloatVector.broadcast(F, update.alpha());
        FloatVector bias = update.hasBias()
                ? FloatVector.fromMemorySegment(F, ALL, update.bias() + shift, LE, mask) : FloatVector.zero(F);
        for (int r = 0; r < rows; r++) {
            long to = target[r] + shift;
            FloatVector v = FloatVector.fromMemorySegment(F, ALL, turned + r * (4L * F.length()), LE).fma(alpha, bias);
            if (update.add()) {
                v = v.add(FloatVector.fromMemorySegment(F, ALL, to, LE, mask));
            }
            v.intoMemorySegment(ALL, to, LE, mask);
        }
    }
}
