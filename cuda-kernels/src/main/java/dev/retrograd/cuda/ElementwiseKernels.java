package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.sameElements;
import static dev.retrograd.cuda.Launcher.sameType;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.util.Arrays;
import java.util.Locale;

/// Launches `unary.cu`, `elementwise.cu` and `convert.cu`: what {@link dev.retrograd.core.ElementwiseKernels} asks for.
final class ElementwiseKernels {
    static final DType[] FLOATS = {DType.F32, DType.F64, DType.F16, DType.BF16};
    private static final int MAX_TERMS = 16;

    private final Launcher launcher;

    ElementwiseKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void unary(Unary f, Tensor x, Tensor y) {
        sameElements("unary", x, y);
        DType type = sameType("unary", FLOATS, x, y);
        launcher.arguments().i64(address(x)).i64(address(y)).i64(x.elements()).f64(f.p()).f64(f.q());
        launcher.overElements("unary", "unary_" + name(f) + "_" + suffix(type), x.elements());
    }

    void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx) {
        sameElements("unaryBackward", x, dy);
        sameElements("unaryBackward", x, dx);
        DType type = sameType("unaryBackward", FLOATS, x, dy, dx);
        launcher.arguments().i64(address(x)).i64(address(dy)).i64(address(dx)).i64(x.elements()).f64(f.p()).f64(f.q());
        launcher.overElements("unary", "unary_" + name(f) + "_bwd_" + suffix(type), x.elements());
    }

    private static String name(Unary f) {
        return f.kind().name().toLowerCase(Locale.ROOT);
    }

    void binary(Binary f, Tensor a, Tensor b, Tensor y) {
        DType type = sameType("binary", FLOATS, a, b, y);
        Shape shape = Shape.broadcast(a.shape(), b.shape());
        if (!shape.equals(y.shape())) {
            throw new ShapeException("binary: the result must be " + shape + ", got " + y);
        }
        String kernel = "binary_" + f.name().toLowerCase(Locale.ROOT);
        Strides strides = Strides.broadcast("binary", shape, a.shape(), b.shape());
        launcher.arguments().i64(address(a)).i64(address(b)).i64(address(y)).i64(y.elements());
        if (strides.contiguous()) {
            launcher.overElements("elementwise", kernel + "_" + suffix(type), y.elements());
        } else {
            launchBroadcast(kernel + "_broadcast_" + suffix(type), strides, a, b, y);
        }
    }

    private void launchBroadcast(String kernel, Strides strides, Tensor a, Tensor b, Tensor y) {
        launcher.arguments().i64(address(a)).i64(address(b)).i64(address(y)).i64(y.elements()).i64s(strides.struct());
        launcher.overElements("elementwise", kernel, y.elements());
    }

    /// @throws IllegalArgumentException for more than 16 tensors
    void linearCombination(double constant, double[] coefficients, Tensor[] xs, Tensor y) {
        if (coefficients.length != xs.length) {
            throw new IllegalArgumentException("linearCombination: one coefficient per tensor is required, got " + coefficients.length + " for " + xs.length);
        }
        if (xs.length > MAX_TERMS) {
            throw new IllegalArgumentException("linearCombination: at most " + MAX_TERMS + " tensors are required, got " + xs.length);
        }
        DType type = sameType("linearCombination", FLOATS, y);
        long[] addresses = new long[MAX_TERMS];
        for (int k = 0; k < xs.length; k++) {
            sameElements("linearCombination", xs[k], y);
            sameType("linearCombination", FLOATS, y, xs[k]);
            addresses[k] = address(xs[k]);
        }
        launcher.arguments().f64(constant).f64s(Arrays.copyOf(coefficients, MAX_TERMS)).i64s(addresses).i32(xs.length).i64(address(y)).i64(y.elements());
        launcher.overElements("elementwise", "linear_combination_" + suffix(type), y.elements());
    }

    void fill(Tensor y, double value) {
        launcher.arguments().i64(address(y)).i64(bits(y.dtype(), value)).i64(y.elements());
        launcher.overElements("elementwise", "fill_b" + 8 * y.dtype().bytes(), y.elements());
    }

    /// The value in an element type: rounded to nearest; in integers truncated and limited to their range, NaN as 0.
    private static long bits(DType type, double value) {
        return switch (type) {
            case F64 -> Double.doubleToRawLongBits(value);
            case F32 -> Float.floatToRawIntBits((float) value);
            case F16 -> Float.floatToFloat16((float) value);
            case BF16 -> DType.floatToBf16((float) value);
            case I64 -> (long) value;
            case I32 -> (int) value;
            case U8 -> Math.clamp((long) value, 0, 255);
        };
    }

    void convert(Tensor x, Tensor y) {
        sameElements("convert", x, y);
        launcher.arguments().i64(address(x)).i64(address(y)).i64(x.elements());
        launcher.overElements("convert", "convert_" + suffix(x.dtype()) + "_" + suffix(y.dtype()), x.elements());
    }
}
