package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Tiles of 256-bit vectors: 6×16 (12 of 16 registers accumulate), 2×16 at the lower edge.
final class MicroKernel256 extends MicroKernel {

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    private static final VectorShuffle<Float> ZIP_LOW = VectorShuffle.makeZip(F, 0);
    private static final VectorShuffle<Float> ZIP_HIGH = VectorShuffle.makeZip(F, 1);

    MicroKernel256() {
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
        FloatVector a0 = FloatVector.fromArray(F, from, at);
        FloatVector a1 = FloatVector.fromArray(F, from, at + stride);
        FloatVector a2 = FloatVector.fromArray(F, from, at + 2 * stride);
        FloatVector a3 = FloatVector.fromArray(F, from, at + 3 * stride);
        FloatVector a4 = FloatVector.fromArray(F, from, at + 4 * stride);
        FloatVector a5 = FloatVector.fromArray(F, from, at + 5 * stride);
        FloatVector a6 = FloatVector.fromArray(F, from, at + 6 * stride);
        FloatVector a7 = FloatVector.fromArray(F, from, at + 7 * stride);
        FloatVector b0 = a0.rearrange(ZIP_LOW, a4), b1 = a0.rearrange(ZIP_HIGH, a4);
        FloatVector b2 = a1.rearrange(ZIP_LOW, a5), b3 = a1.rearrange(ZIP_HIGH, a5);
        FloatVector b4 = a2.rearrange(ZIP_LOW, a6), b5 = a2.rearrange(ZIP_HIGH, a6);
        FloatVector b6 = a3.rearrange(ZIP_LOW, a7), b7 = a3.rearrange(ZIP_HIGH, a7);
        FloatVector c0 = b0.rearrange(ZIP_LOW, b4), c1 = b0.rearrange(ZIP_HIGH, b4);
        FloatVector c2 = b1.rearrange(ZIP_LOW, b5), c3 = b1.rearrange(ZIP_HIGH, b5);
        FloatVector c4 = b2.rearrange(ZIP_LOW, b6), c5 = b2.rearrange(ZIP_HIGH, b6);
        FloatVector c6 = b3.rearrange(ZIP_LOW, b7), c7 = b3.rearrange(ZIP_HIGH, b7);
        FloatVector d0 = c0.rearrange(ZIP_LOW, c4), d1 = c0.rearrange(ZIP_HIGH, c4);
        FloatVector d2 = c1.rearrange(ZIP_LOW, c5), d3 = c1.rearrange(ZIP_HIGH, c5);
        FloatVector d4 = c2.rearrange(ZIP_LOW, c6), d5 = c2.rearrange(ZIP_HIGH, c6);
        FloatVector d6 = c3.rearrange(ZIP_LOW, c7), d7 = c3.rearrange(ZIP_HIGH, c7);
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
