package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static dev.retrograd.core.cpu.Vectors.loadTail;
import static dev.retrograd.core.cpu.Vectors.store;
import static dev.retrograd.core.cpu.Vectors.storeTail;

import dev.retrograd.core.Unary;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// The derivatives of the elementwise functions, times the gradient, on runs of float32: one loop each, as in {@link UnaryLoops}.
final class UnarySlopeLoops {
    private static final float QUICK = 1.702f;

    private UnarySlopeLoops() {
    }

    /// `dx = f'(x)·dy` for n elements from these addresses on; dx may be x or dy.
    static void run(Unary f, long x, long dy, long dx, int n) {
        switch (f.kind()) {
            case SILU -> silu(x, dy, dx, n);
            case GELU -> gelu(x, dy, dx, n);
            case QUICK_GELU -> quickGelu(x, dy, dx, n);
            case SIGMOID -> sigmoid(x, dy, dx, n);
            case TANH -> tanh(x, dy, dx, n);
            case RELU -> relu(x, dy, dx, n);
            case EXP -> exp(x, dy, dx, n);
            case LOG -> log(x, dy, dx, n);
            case SQRT -> sqrt(x, dy, dx, n);
            case ABS -> abs(x, dy, dx, n);
            case POW -> pow(f, x, dy, dx, n);
            case CLAMP -> clamp(x, dy, dx, n, (float) f.p(), (float) f.q());
            case ROUND_CUBIC -> roundCubic(x, dy, dx, n);
            case ROUND_STRAIGHT -> MemorySegment.copy(Native.ALL, dy, Native.ALL, dx, n * 4L);
        }
    }

    private static void pow(Unary f, long x, long dy, long dx, int n) {
        if (f.p() == 2) {
            square(x, dy, dx, n);
        } else {
            UnaryScalars.runBackward(f, Native.floats(x, n), Native.floats(dy, n), Native.floats(dx, n), n);
        }
    }

    private static FloatVector quickGeluSlope(FloatVector x) {
        FloatVector s = VectorMath.sigmoid(x.mul(QUICK));
        return s.neg().add(1).mul(x.mul(QUICK)).add(1).mul(s);
    }

    private static FloatVector sigmoidSlope(FloatVector x) {
        FloatVector s = VectorMath.sigmoid(x);
        return s.neg().add(1).mul(s);
    }

    /// `1 − tanh²(x) = 4·s·(1 − s)` with s the sigmoid at 2x.
    private static FloatVector tanhSlope(FloatVector x) {
        FloatVector s = VectorMath.sigmoid(x.add(x));
        return s.neg().add(1).mul(s).mul(4);
    }

    /// dy with the sign that |x| takes off x; 0 where x is 0.
    private static FloatVector signed(FloatVector x, FloatVector dy) {
        return dy.blend(dy.neg(), x.compare(VectorOperators.LT, 0)).blend(0, x.compare(VectorOperators.EQ, 0));
    }

    private static FloatVector within(FloatVector x, FloatVector dy, float low, float high) {
        return dy.blend(0, x.compare(VectorOperators.LT, low).or(x.compare(VectorOperators.GT, high)));
    }

    private static FloatVector roundCubicSlope(FloatVector x) {
        FloatVector d = x.sub(UnaryLoops.rint(x));
        return d.mul(d).mul(3);
    }

    private static void silu(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, VectorMath.siluSlope(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, VectorMath.siluSlope(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }

    private static void gelu(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, VectorMath.geluSlope(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, VectorMath.geluSlope(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }

    private static void quickGelu(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, quickGeluSlope(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, quickGeluSlope(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }

    private static void sigmoid(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, sigmoidSlope(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, sigmoidSlope(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }

    private static void tanh(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, tanhSlope(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, tanhSlope(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }

    private static void relu(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, load(dy, i).blend(0, load(x, i).compare(VectorOperators.LE, 0)));
        }
        if (i < n) {
            storeTail(dx, i, n, loadTail(dy, i, n).blend(0, loadTail(x, i, n).compare(VectorOperators.LE, 0)));
        }
    }

    private static void exp(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, VectorMath.exp(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, VectorMath.exp(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }

    private static void log(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, load(dy, i).div(load(x, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, loadTail(dy, i, n).div(loadTail(x, i, n)));
        }
    }

    private static void sqrt(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, load(dy, i).mul(0.5f).div(load(x, i).sqrt()));
        }
        if (i < n) {
            storeTail(dx, i, n, loadTail(dy, i, n).mul(0.5f).div(loadTail(x, i, n).sqrt()));
        }
    }

    private static void abs(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, signed(load(x, i), load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, signed(loadTail(x, i, n), loadTail(dy, i, n)));
        }
    }

    private static void square(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, load(x, i).mul(2).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, loadTail(x, i, n).mul(2).mul(loadTail(dy, i, n)));
        }
    }

    private static void clamp(long x, long dy, long dx, int n, float low, float high) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, within(load(x, i), load(dy, i), low, high));
        }
        if (i < n) {
            storeTail(dx, i, n, within(loadTail(x, i, n), loadTail(dy, i, n), low, high));
        }
    }

    private static void roundCubic(long x, long dy, long dx, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            store(dx, i, roundCubicSlope(load(x, i)).mul(load(dy, i)));
        }
        if (i < n) {
            storeTail(dx, i, n, roundCubicSlope(loadTail(x, i, n)).mul(loadTail(dy, i, n)));
        }
    }
}
