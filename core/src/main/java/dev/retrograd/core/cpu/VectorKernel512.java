package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/// Tiles of 512-bit vectors: 12×32 (24 of 32 registers accumulate), 4×32 at the lower edge.
final class VectorKernel512 extends VectorKernel {

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_512;
    private static final IntVector ZIP_LOW = Vectors.zip(IntVector.SPECIES_512, 0);
    private static final IntVector ZIP_HIGH = Vectors.zip(IntVector.SPECIES_512, F.length() / 2);

    VectorKernel512() {
        super(F.length(), 12, 4);
    }

    @Override void tile(float[] a, int at, long b, int depth, float[] out) {
        FloatVector c0l = FloatVector.zero(F), c0r = FloatVector.zero(F), c1l = FloatVector.zero(F), c1r = FloatVector.zero(F);
        FloatVector c2l = FloatVector.zero(F), c2r = FloatVector.zero(F), c3l = FloatVector.zero(F), c3r = FloatVector.zero(F);
        FloatVector c4l = FloatVector.zero(F), c4r = FloatVector.zero(F), c5l = FloatVector.zero(F), c5r = FloatVector.zero(F);
        FloatVector c6l = FloatVector.zero(F), c6r = FloatVector.zero(F), c7l = FloatVector.zero(F), c7r = FloatVector.zero(F);
        FloatVector c8l = FloatVector.zero(F), c8r = FloatVector.zero(F), c9l = FloatVector.zero(F), c9r = FloatVector.zero(F);
        FloatVector c10l = FloatVector.zero(F), c10r = FloatVector.zero(F), c11l = FloatVector.zero(F), c11r = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 128L, LE);
            FloatVector br = FloatVector.fromMemorySegment(F, ALL, b + p * 128L + 64, LE);
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
            FloatVector a6 = FloatVector.broadcast(F, a[at + p + 6 * KC]);
            c6l = a6.fma(bl, c6l);
            c6r = a6.fma(br, c6r);
            FloatVector a7 = FloatVector.broadcast(F, a[at + p + 7 * KC]);
            c7l = a7.fma(bl, c7l);
            c7r = a7.fma(br, c7r);
            FloatVector a8 = FloatVector.broadcast(F, a[at + p + 8 * KC]);
            c8l = a8.fma(bl, c8l);
            c8r = a8.fma(br, c8r);
            FloatVector a9 = FloatVector.broadcast(F, a[at + p + 9 * KC]);
            c9l = a9.fma(bl, c9l);
            c9r = a9.fma(br, c9r);
            FloatVector a10 = FloatVector.broadcast(F, a[at + p + 10 * KC]);
            c10l = a10.fma(bl, c10l);
            c10r = a10.fma(br, c10r);
            FloatVector a11 = FloatVector.broadcast(F, a[at + p + 11 * KC]);
            c11l = a11.fma(bl, c11l);
            c11r = a11.fma(br, c11r);
        }
        c0l.intoArray(out, 0);
        c0r.intoArray(out, 16);
        c1l.intoArray(out, 32);
        c1r.intoArray(out, 48);
        c2l.intoArray(out, 64);
        c2r.intoArray(out, 80);
        c3l.intoArray(out, 96);
        c3r.intoArray(out, 112);
        c4l.intoArray(out, 128);
        c4r.intoArray(out, 144);
        c5l.intoArray(out, 160);
        c5r.intoArray(out, 176);
        c6l.intoArray(out, 192);
        c6r.intoArray(out, 208);
        c7l.intoArray(out, 224);
        c7r.intoArray(out, 240);
        c8l.intoArray(out, 256);
        c8r.intoArray(out, 272);
        c9l.intoArray(out, 288);
        c9r.intoArray(out, 304);
        c10l.intoArray(out, 320);
        c10r.intoArray(out, 336);
        c11l.intoArray(out, 352);
        c11r.intoArray(out, 368);
    }

    @Override void tileNarrow(float[] a, int at, long b, int depth, float[] out) {
        FloatVector c0 = FloatVector.zero(F), c1 = FloatVector.zero(F), c2 = FloatVector.zero(F), c3 = FloatVector.zero(F);
        FloatVector c4 = FloatVector.zero(F), c5 = FloatVector.zero(F), c6 = FloatVector.zero(F), c7 = FloatVector.zero(F);
        FloatVector c8 = FloatVector.zero(F), c9 = FloatVector.zero(F), c10 = FloatVector.zero(F), c11 = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 128L, LE);
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
            FloatVector a6 = FloatVector.broadcast(F, a[at + p + 6 * KC]);
            c6 = a6.fma(bl, c6);
            FloatVector a7 = FloatVector.broadcast(F, a[at + p + 7 * KC]);
            c7 = a7.fma(bl, c7);
            FloatVector a8 = FloatVector.broadcast(F, a[at + p + 8 * KC]);
            c8 = a8.fma(bl, c8);
            FloatVector a9 = FloatVector.broadcast(F, a[at + p + 9 * KC]);
            c9 = a9.fma(bl, c9);
            FloatVector a10 = FloatVector.broadcast(F, a[at + p + 10 * KC]);
            c10 = a10.fma(bl, c10);
            FloatVector a11 = FloatVector.broadcast(F, a[at + p + 11 * KC]);
            c11 = a11.fma(bl, c11);
        }
        c0.intoArray(out, 0);
        c1.intoArray(out, 32);
        c2.intoArray(out, 64);
        c3.intoArray(out, 96);
        c4.intoArray(out, 128);
        c5.intoArray(out, 160);
        c6.intoArray(out, 192);
        c7.intoArray(out, 224);
        c8.intoArray(out, 256);
        c9.intoArray(out, 288);
        c10.intoArray(out, 320);
        c11.intoArray(out, 352);
    }

    @Override void edge(float[] a, int at, long b, int depth, float[] out, int outAt) {
        FloatVector c0l = FloatVector.zero(F), c0r = FloatVector.zero(F), c1l = FloatVector.zero(F), c1r = FloatVector.zero(F);
        FloatVector c2l = FloatVector.zero(F), c2r = FloatVector.zero(F), c3l = FloatVector.zero(F), c3r = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 128L, LE);
            FloatVector br = FloatVector.fromMemorySegment(F, ALL, b + p * 128L + 64, LE);
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
        }
        c0l.intoArray(out, outAt + 0);
        c0r.intoArray(out, outAt + 16);
        c1l.intoArray(out, outAt + 32);
        c1r.intoArray(out, outAt + 48);
        c2l.intoArray(out, outAt + 64);
        c2r.intoArray(out, outAt + 80);
        c3l.intoArray(out, outAt + 96);
        c3r.intoArray(out, outAt + 112);
    }

    @Override void edgeNarrow(float[] a, int at, long b, int depth, float[] out, int outAt) {
        FloatVector c0 = FloatVector.zero(F), c1 = FloatVector.zero(F), c2 = FloatVector.zero(F), c3 = FloatVector.zero(F);
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(F, ALL, b + p * 128L, LE);
            FloatVector a0 = FloatVector.broadcast(F, a[at + p]);
            c0 = a0.fma(bl, c0);
            FloatVector a1 = FloatVector.broadcast(F, a[at + p + KC]);
            c1 = a1.fma(bl, c1);
            FloatVector a2 = FloatVector.broadcast(F, a[at + p + 2 * KC]);
            c2 = a2.fma(bl, c2);
            FloatVector a3 = FloatVector.broadcast(F, a[at + p + 3 * KC]);
            c3 = a3.fma(bl, c3);
        }
        c0.intoArray(out, outAt + 0);
        c1.intoArray(out, outAt + 32);
        c2.intoArray(out, outAt + 64);
        c3.intoArray(out, outAt + 96);
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
        IntVector a8 = FloatVector.fromArray(F, from, at + 8 * stride).reinterpretAsInts();
        IntVector a9 = FloatVector.fromArray(F, from, at + 9 * stride).reinterpretAsInts();
        IntVector a10 = FloatVector.fromArray(F, from, at + 10 * stride).reinterpretAsInts();
        IntVector a11 = FloatVector.fromArray(F, from, at + 11 * stride).reinterpretAsInts();
        IntVector a12 = FloatVector.fromArray(F, from, at + 12 * stride).reinterpretAsInts();
        IntVector a13 = FloatVector.fromArray(F, from, at + 13 * stride).reinterpretAsInts();
        IntVector a14 = FloatVector.fromArray(F, from, at + 14 * stride).reinterpretAsInts();
        IntVector a15 = FloatVector.fromArray(F, from, at + 15 * stride).reinterpretAsInts();
        IntVector b0 = ZIP_LOW.selectFrom(a0, a8), b1 = ZIP_HIGH.selectFrom(a0, a8);
        IntVector b2 = ZIP_LOW.selectFrom(a1, a9), b3 = ZIP_HIGH.selectFrom(a1, a9);
        IntVector b4 = ZIP_LOW.selectFrom(a2, a10), b5 = ZIP_HIGH.selectFrom(a2, a10);
        IntVector b6 = ZIP_LOW.selectFrom(a3, a11), b7 = ZIP_HIGH.selectFrom(a3, a11);
        IntVector b8 = ZIP_LOW.selectFrom(a4, a12), b9 = ZIP_HIGH.selectFrom(a4, a12);
        IntVector b10 = ZIP_LOW.selectFrom(a5, a13), b11 = ZIP_HIGH.selectFrom(a5, a13);
        IntVector b12 = ZIP_LOW.selectFrom(a6, a14), b13 = ZIP_HIGH.selectFrom(a6, a14);
        IntVector b14 = ZIP_LOW.selectFrom(a7, a15), b15 = ZIP_HIGH.selectFrom(a7, a15);
        IntVector c0 = ZIP_LOW.selectFrom(b0, b8), c1 = ZIP_HIGH.selectFrom(b0, b8);
        IntVector c2 = ZIP_LOW.selectFrom(b1, b9), c3 = ZIP_HIGH.selectFrom(b1, b9);
        IntVector c4 = ZIP_LOW.selectFrom(b2, b10), c5 = ZIP_HIGH.selectFrom(b2, b10);
        IntVector c6 = ZIP_LOW.selectFrom(b3, b11), c7 = ZIP_HIGH.selectFrom(b3, b11);
        IntVector c8 = ZIP_LOW.selectFrom(b4, b12), c9 = ZIP_HIGH.selectFrom(b4, b12);
        IntVector c10 = ZIP_LOW.selectFrom(b5, b13), c11 = ZIP_HIGH.selectFrom(b5, b13);
        IntVector c12 = ZIP_LOW.selectFrom(b6, b14), c13 = ZIP_HIGH.selectFrom(b6, b14);
        IntVector c14 = ZIP_LOW.selectFrom(b7, b15), c15 = ZIP_HIGH.selectFrom(b7, b15);
        IntVector d0 = ZIP_LOW.selectFrom(c0, c8), d1 = ZIP_HIGH.selectFrom(c0, c8);
        IntVector d2 = ZIP_LOW.selectFrom(c1, c9), d3 = ZIP_HIGH.selectFrom(c1, c9);
        IntVector d4 = ZIP_LOW.selectFrom(c2, c10), d5 = ZIP_HIGH.selectFrom(c2, c10);
        IntVector d6 = ZIP_LOW.selectFrom(c3, c11), d7 = ZIP_HIGH.selectFrom(c3, c11);
        IntVector d8 = ZIP_LOW.selectFrom(c4, c12), d9 = ZIP_HIGH.selectFrom(c4, c12);
        IntVector d10 = ZIP_LOW.selectFrom(c5, c13), d11 = ZIP_HIGH.selectFrom(c5, c13);
        IntVector d12 = ZIP_LOW.selectFrom(c6, c14), d13 = ZIP_HIGH.selectFrom(c6, c14);
        IntVector d14 = ZIP_LOW.selectFrom(c7, c15), d15 = ZIP_HIGH.selectFrom(c7, c15);
        IntVector e0 = ZIP_LOW.selectFrom(d0, d8), e1 = ZIP_HIGH.selectFrom(d0, d8);
        IntVector e2 = ZIP_LOW.selectFrom(d1, d9), e3 = ZIP_HIGH.selectFrom(d1, d9);
        IntVector e4 = ZIP_LOW.selectFrom(d2, d10), e5 = ZIP_HIGH.selectFrom(d2, d10);
        IntVector e6 = ZIP_LOW.selectFrom(d3, d11), e7 = ZIP_HIGH.selectFrom(d3, d11);
        IntVector e8 = ZIP_LOW.selectFrom(d4, d12), e9 = ZIP_HIGH.selectFrom(d4, d12);
        IntVector e10 = ZIP_LOW.selectFrom(d5, d13), e11 = ZIP_HIGH.selectFrom(d5, d13);
        IntVector e12 = ZIP_LOW.selectFrom(d6, d14), e13 = ZIP_HIGH.selectFrom(d6, d14);
        IntVector e14 = ZIP_LOW.selectFrom(d7, d15), e15 = ZIP_HIGH.selectFrom(d7, d15);
        e0.intoMemorySegment(ALL, to, LE);
        e1.intoMemorySegment(ALL, to + toStride, LE);
        e2.intoMemorySegment(ALL, to + 2 * toStride, LE);
        e3.intoMemorySegment(ALL, to + 3 * toStride, LE);
        e4.intoMemorySegment(ALL, to + 4 * toStride, LE);
        e5.intoMemorySegment(ALL, to + 5 * toStride, LE);
        e6.intoMemorySegment(ALL, to + 6 * toStride, LE);
        e7.intoMemorySegment(ALL, to + 7 * toStride, LE);
        e8.intoMemorySegment(ALL, to + 8 * toStride, LE);
        e9.intoMemorySegment(ALL, to + 9 * toStride, LE);
        e10.intoMemorySegment(ALL, to + 10 * toStride, LE);
        e11.intoMemorySegment(ALL, to + 11 * toStride, LE);
        e12.intoMemorySegment(ALL, to + 12 * toStride, LE);
        e13.intoMemorySegment(ALL, to + 13 * toStride, LE);
        e14.intoMemorySegment(ALL, to + 14 * toStride, LE);
        e15.intoMemorySegment(ALL, to + 15 * toStride, LE);
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
