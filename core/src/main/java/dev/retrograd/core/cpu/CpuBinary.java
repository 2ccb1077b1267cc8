package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.Binary;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/// Functions of two tensors with broadcasting, walked row by row of the merged axes.
final class CpuBinary {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private final Workers workers;

    CpuBinary(Workers workers) {
        this.workers = workers;
    }

    void binary(Binary f, Tensor a, Tensor b, Tensor y) {
        boolean wide = Elements.isDouble("binary", a, b, y);
        if (!Shape.broadcast(a.shape(), b.shape()).equals(y.shape())) {
            throw new ShapeException("binary: y must have the broadcast shape of " + a + " and " + b + ", got " + y);
        }
        int bytes = y.dtype().bytes();
        MemorySegment as = CpuMemory.data(a);
        MemorySegment bs = CpuMemory.data(b);
        MemorySegment ys = CpuMemory.data(y);
        Walk walk = Walk.of(y.shape(), a.shape(), b.shape());
        int length = walk.length();
        if (y.elements() == 0) {
            return;
        }
        long aStep = walk.step(0);
        long bStep = walk.step(1);
        int piece = (int) Math.min(length, Workers.CHUNK);
        long pieces = Math.ceilDiv((long) length, piece);
        workers.rows(walk.rows() * pieces, piece, (from, to) -> {
            for (long i = from; i < to; i++) {
                long row = i / pieces;
                long at = i % pieces * piece;
                int n = (int) Math.min(piece, length - at);
                MemorySegment ap = as.asSlice((walk.offset(0, row) + at * aStep) * bytes);
                MemorySegment bp = bs.asSlice((walk.offset(1, row) + at * bStep) * bytes);
                MemorySegment yp = ys.asSlice((row * length + at) * bytes);
                if (wide) {
                    doubles(f, ap, (int) aStep, bp, (int) bStep, yp, n);
                } else {
                    floats(f, ap, (int) aStep, bp, (int) bStep, yp, n);
                }
            }
        });
    }

    private static void floats(Binary f, MemorySegment a, int aStep, MemorySegment b, int bStep, MemorySegment y, int n) {
        int whole = n - n % LANES;
        if (aStep == 1 && bStep == 1) {
            both(f, a, b, y, whole);
        } else if (aStep == 1) {
            withScalar(f, a, b.get(JAVA_FLOAT_UNALIGNED, 0), y, whole);
        } else {
            ofScalar(f, a.get(JAVA_FLOAT_UNALIGNED, 0), b, y, whole);
        }
        for (int i = whole; i < n; i++) {
            float av = a.get(JAVA_FLOAT_UNALIGNED, (long) i * aStep * 4);
            float bv = b.get(JAVA_FLOAT_UNALIGNED, (long) i * bStep * 4);
            y.set(JAVA_FLOAT_UNALIGNED, i * 4L, scalar(f, av, bv));
        }
    }

    private static void both(Binary f, MemorySegment a, MemorySegment b, MemorySegment y, int n) {
        for (int i = 0; i < n; i += LANES) {
            put(f, load(a, i), load(b, i), y, i * 4L);
        }
    }

    private static void withScalar(Binary f, MemorySegment a, float b, MemorySegment y, int n) {
        FloatVector bv = FloatVector.broadcast(VectorMath.FLOATS, b);
        for (int i = 0; i < n; i += LANES) {
            put(f, load(a, i), bv, y, i * 4L);
        }
    }

    private static void ofScalar(Binary f, float a, MemorySegment b, MemorySegment y, int n) {
        FloatVector av = FloatVector.broadcast(VectorMath.FLOATS, a);
        for (int i = 0; i < n; i += LANES) {
            put(f, av, load(b, i), y, i * 4L);
        }
    }

    /// Stores in every arm: a vector that several arms hand on would be boxed.
    private static void put(Binary f, FloatVector a, FloatVector b, MemorySegment y, long at) {
        switch (f) {
            case ADD -> a.add(b).intoMemorySegment(y, at, ORDER);
            case SUB -> a.sub(b).intoMemorySegment(y, at, ORDER);
            case MUL -> a.mul(b).intoMemorySegment(y, at, ORDER);
            case DIV -> a.div(b).intoMemorySegment(y, at, ORDER);
            case MAX -> a.max(b).intoMemorySegment(y, at, ORDER);
            case MIN -> a.min(b).intoMemorySegment(y, at, ORDER);
        }
    }

    private static float scalar(Binary f, float a, float b) {
        return switch (f) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
            case MAX -> Math.max(a, b);
            case MIN -> Math.min(a, b);
        };
    }

    private static void doubles(Binary f, MemorySegment a, int aStep, MemorySegment b, int bStep, MemorySegment y, int n) {
        for (int i = 0; i < n; i++) {
            double av = a.get(JAVA_DOUBLE_UNALIGNED, (long) i * aStep * 8);
            double bv = b.get(JAVA_DOUBLE_UNALIGNED, (long) i * bStep * 8);
            y.set(JAVA_DOUBLE_UNALIGNED, i * 8L, switch (f) {
                case ADD -> av + bv;
                case SUB -> av - bv;
                case MUL -> av * bv;
                case DIV -> av / bv;
                case MAX -> Math.max(av, bv);
                case MIN -> Math.min(av, bv);
            });
        }
    }
}
