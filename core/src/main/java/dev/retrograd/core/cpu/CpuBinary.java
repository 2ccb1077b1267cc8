package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static dev.retrograd.core.cpu.Vectors.store;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.Binary;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Functions of two tensors with broadcasting, walked row by row of the merged axes.
final class CpuBinary {
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
        MemorySegment ys = CpuMemory.result(y);
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
                long aAt = (walk.offset(0, row) + at * aStep) * bytes;
                long bAt = (walk.offset(1, row) + at * bStep) * bytes;
                long yAt = (row * length + at) * bytes;
                if (wide) {
                    doubles(f, as, aAt, aStep, bs, bAt, bStep, ys, yAt, n);
                } else {
                    floats(f, as, aAt, aStep, bs, bAt, bStep, ys, yAt, n);
                }
            }
        });
    }

    private static void floats(Binary f, MemorySegment a, long aAt, long aStep, MemorySegment b, long bAt, long bStep, MemorySegment y, long yAt, int n) {
        int whole = n - n % LANES;
        if (whole > 0) {
            if (aStep == 1 && bStep == 1) {
                both(f, a.address() + aAt, b.address() + bAt, y.address() + yAt, whole);
            } else if (aStep == 1) {
                withScalar(f, a.address() + aAt, b.get(JAVA_FLOAT_UNALIGNED, bAt), y.address() + yAt, whole);
            } else {
                ofScalar(f, a.get(JAVA_FLOAT_UNALIGNED, aAt), b.address() + bAt, y.address() + yAt, whole);
            }
        }
        for (int i = whole; i < n; i++) {
            float av = a.get(JAVA_FLOAT_UNALIGNED, aAt + i * aStep * 4);
            float bv = b.get(JAVA_FLOAT_UNALIGNED, bAt + i * bStep * 4);
            y.set(JAVA_FLOAT_UNALIGNED, yAt + i * 4L, scalar(f, av, bv));
        }
    }

    // The three loops store in every arm: a vector handed from arm to arm, or to a method that is not inlined, would be boxed.

    private static void both(Binary f, long a, long b, long y, int n) {
        for (int i = 0; i < n; i += LANES) {
            switch (f) {
                case ADD -> store(y, i, load(a, i).add(load(b, i)));
                case SUB -> store(y, i, load(a, i).sub(load(b, i)));
                case MUL -> store(y, i, load(a, i).mul(load(b, i)));
                case DIV -> store(y, i, load(a, i).div(load(b, i)));
                case MAX -> store(y, i, load(a, i).max(load(b, i)));
                case MIN -> store(y, i, load(a, i).min(load(b, i)));
            }
        }
    }

    private static void withScalar(Binary f, long a, float b, long y, int n) {
        FloatVector bv = FloatVector.broadcast(VectorMath.FLOATS, b);
        for (int i = 0; i < n; i += LANES) {
            switch (f) {
                case ADD -> store(y, i, load(a, i).add(bv));
                case SUB -> store(y, i, load(a, i).sub(bv));
                case MUL -> store(y, i, load(a, i).mul(bv));
                case DIV -> store(y, i, load(a, i).div(bv));
                case MAX -> store(y, i, load(a, i).max(bv));
                case MIN -> store(y, i, load(a, i).min(bv));
            }
        }
    }

    private static void ofScalar(Binary f, float a, long b, long y, int n) {
        FloatVector av = FloatVector.broadcast(VectorMath.FLOATS, a);
        for (int i = 0; i < n; i += LANES) {
            switch (f) {
                case ADD -> store(y, i, av.add(load(b, i)));
                case SUB -> store(y, i, av.sub(load(b, i)));
                case MUL -> store(y, i, av.mul(load(b, i)));
                case DIV -> store(y, i, av.div(load(b, i)));
                case MAX -> store(y, i, av.max(load(b, i)));
                case MIN -> store(y, i, av.min(load(b, i)));
            }
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

    private static void doubles(Binary f, MemorySegment a, long aAt, long aStep, MemorySegment b, long bAt, long bStep, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            double av = a.get(JAVA_DOUBLE_UNALIGNED, aAt + i * aStep * 8);
            double bv = b.get(JAVA_DOUBLE_UNALIGNED, bAt + i * bStep * 8);
            y.set(JAVA_DOUBLE_UNALIGNED, yAt + i * 8L, switch (f) {
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
