package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static dev.retrograd.core.cpu.Vectors.loadTail;
import static dev.retrograd.core.cpu.Vectors.store;
import static dev.retrograd.core.cpu.Vectors.storeTail;

import dev.retrograd.core.Unary;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// The elementwise functions on runs of float32: one loop each, since a call that picks the function inside would box every vector.
final class UnaryLoops {
    private static final float QUICK = 1.702f;
    /// From here on, floats have no fraction.
    private static final float WHOLE = 0x1p23f;

    private UnaryLoops() {
    }

    /// `y = f(x)` for n elements from these addresses on; y may be x.
    static void run(Unary f, long x, long y, int n) {
        switch (f.kind()) {
            case SILU -> silu(x, y, n);
            case GELU -> gelu(x, y, n);
            case QUICK_GELU -> quickGelu(x, y, n);
            case SIGMOID -> sigmoid(x, y, n);
            case TANH -> tanh(x, y, n);
            case RELU -> relu(x, y, n);
            case EXP -> exp(x, y, n);
            case LOG -> log(x, y, n);
            case SQRT -> sqrt(x, y, n);
            case ABS -> abs(x, y, n);
            case POW -> pow(f, x, y, n);
            case CLAMP -> clamp(x, y, n, (float) f.p(), (float) f.q());
            case ROUND_CUBIC -> roundCubic(x, y, n);
            case ROUND_STRAIGHT -> round(x, y, n);
        }
    }

    private static void pow(Unary f, long x, long y, int n) {
        if (f.p() == 2) {
            square(x, y, n);
        } else {
            UnaryScalars.run(f, Native.floats(x, n), Native.floats(y, n), n);
        }
    }

    static FloatVector quickGelu(FloatVector x) {
        return x.mul(VectorMath.sigmoid(x.mul(QUICK)));
    }

    /// To the nearest integer, halves to the even one.
    static FloatVector rint(FloatVector x) {
        FloatVector a = x.abs();
        FloatVector sign = x.reinterpretAsInts().and(0x80000000).reinterpretAsFloats();
        FloatVector r = a.add(WHOLE).sub(WHOLE).reinterpretAsInts().or(sign.reinterpretAsInts()).reinterpretAsFloats();
        return x.blend(r, a.compare(VectorOperators.LT, WHOLE));
    }

    static FloatVector roundCubic(FloatVector x) {
        FloatVector r = rint(x);
        FloatVector d = x.sub(r);
        return d.mul(d).mul(d).add(r);
    }

    private static void silu(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, VectorMath.silu(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, VectorMath.silu(loadTail(x, i, n)));
        }
    }

    private static void gelu(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, VectorMath.gelu(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, VectorMath.gelu(loadTail(x, i, n)));
        }
    }

    private static void quickGelu(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, quickGelu(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, quickGelu(loadTail(x, i, n)));
        }
    }

    private static void sigmoid(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, VectorMath.sigmoid(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, VectorMath.sigmoid(loadTail(x, i, n)));
        }
    }

    private static void tanh(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, VectorMath.tanh(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, VectorMath.tanh(loadTail(x, i, n)));
        }
    }

    private static void relu(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, load(x, i).max(0));
        }
        if (i < n) {
            storeTail(y, i, n, loadTail(x, i, n).max(0));
        }
    }

    private static void exp(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, VectorMath.exp(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, VectorMath.exp(loadTail(x, i, n)));
        }
    }

    private static void log(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, VectorMath.log(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, VectorMath.log(loadTail(x, i, n)));
        }
    }

    private static void sqrt(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, load(x, i).sqrt());
        }
        if (i < n) {
            storeTail(y, i, n, loadTail(x, i, n).sqrt());
        }
    }

    private static void abs(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, load(x, i).abs());
        }
        if (i < n) {
            storeTail(y, i, n, loadTail(x, i, n).abs());
        }
    }

    private static void square(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, load(x, i).mul(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, loadTail(x, i, n).mul(loadTail(x, i, n)));
        }
    }

    private static void clamp(long x, long y, int n, float low, float high) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, load(x, i).max(low).min(high));
        }
        if (i < n) {
            storeTail(y, i, n, loadTail(x, i, n).max(low).min(high));
        }
    }

    private static void roundCubic(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, roundCubic(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, roundCubic(loadTail(x, i, n)));
        }
    }

    private static void round(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(y, i, rint(load(x, i)));
        }
        if (i < n) {
            storeTail(y, i, n, rint(loadTail(x, i, n)));
        }
    }
}
