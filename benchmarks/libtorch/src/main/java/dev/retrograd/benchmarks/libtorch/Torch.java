package dev.retrograd.benchmarks.libtorch;

import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// libtorch's operators as the models here call them, and values in and out.
///
/// Who calls an operator gives its activations away: they are released as soon as they were read, as temporaries are in C++. What is needed again is passed
/// as {@link #again}. Weights are never released.
final class Torch {
    private static final long[] ONE = {1, 1};

    private Torch() {
    }

    /// A second handle on the same values.
    static Tensor again(Tensor t) {
        return new Tensor(t);
    }

    /// A tensor of these values, in a memory of libtorch's own.
    static Tensor of(float[] values, long... shape) {
        try (FloatPointer p = new FloatPointer(values); Tensor view = torch.from_blob(p, shape)) {
            return view.clone();
        }
    }

    /// Values in the order of the shape, whatever the memory format.
    static float[] floats(Tensor t) {
        try (Tensor dense = t.detach().contiguous()) {
            float[] values = new float[Math.toIntExact(dense.numel())];
            dense.data_ptr_float().get(values);
            return values;
        }
    }

    /// A four-dimensional tensor in a memory format.
    static Tensor laidOut(Tensor t, MemoryFormat format) {
        try (t) {
            return t.contiguous(format);
        }
    }

    static Tensor conv2d(Tensor x, Tensor w, TensorOptional bias, long stride, long padding) {
        try (x) {
            return torch.conv2d(x, w, bias, new long[] {stride, stride}, new long[] {padding, padding}, ONE, 1);
        }
    }

    static Tensor groupNorm(Tensor x, long groups, TensorOptional gamma, TensorOptional beta, double eps) {
        try (x) {
            return torch.group_norm(x, groups, gamma, beta, eps, false);
        }
    }

    static Tensor layerNorm(Tensor x, TensorOptional gamma, TensorOptional beta, double eps) {
        try (x) {
            return torch.layer_norm(x, new long[] {x.size(-1)}, gamma, beta, eps, false);
        }
    }

    static Tensor silu(Tensor x) {
        try (x) {
            return torch.silu(x);
        }
    }

    static Tensor linear(Tensor x, Tensor w, TensorOptional bias) {
        try (x) {
            return torch.linear(x, w, bias);
        }
    }

    static Tensor add(Tensor x, Tensor y) {
        try (x; y) {
            return x.add(y);
        }
    }

    static Tensor scaled(Tensor x, double factor) {
        try (x; Scalar s = new Scalar(factor)) {
            return x.mul(s);
        }
    }

    /// `a·x + b·y`
    static Tensor combined(double a, Tensor x, double b, Tensor y) {
        return add(scaled(x, a), scaled(y, b));
    }

    static Tensor concatenated(Tensor x, Tensor y, long axis) {
        try (x; y; TensorVector both = new TensorVector(x, y)) {
            return torch.cat(both, axis);
        }
    }

    /// Attention of q, k, v `[B,heads,N,D]` at scale 1/√D.
    static Tensor attention(Tensor q, Tensor k, Tensor v) {
        try (q; k; v) {
            return torch.scaled_dot_product_attention(q, k, v, new TensorOptional(), 0, false, new DoubleOptional(), false);
        }
    }

    /// `value·gelu(gate)`, the halves of the last axis.
    static Tensor geglu(Tensor x) {
        try (x; TensorVector halves = torch.chunk(x, 2, -1); Tensor gate = torch.gelu(halves.get(1))) {
            return halves.get(0).mul(gate);
        }
    }

    static Tensor upsampled(Tensor x) {
        try (x) {
            return torch.upsample_nearest2d(x, new long[] {2 * x.size(2), 2 * x.size(3)}, new DoubleOptional(), new DoubleOptional());
        }
    }

    /// The gradient of a convolution's input alone.
    static Tensor convolutionInputGradient(Tensor dy, Tensor x, Tensor w, long stride, long padding) {
        try (BoolPointer wanted = new BoolPointer(3)) {
            wanted.put(0, true).put(1, false).put(2, false);
            return torch.convolution_backward(dy, x, w, new long[] {0}, new long[] {stride, stride}, new long[] {padding, padding}, ONE, false, new long[] {0, 0}, 1, wanted).get0();
        }
    }

    /// Gradients of `Σ y·dy` by the inputs.
    ///
    /// @param again whether the graph stays, so that it can be asked for again
    static TensorVector gradients(boolean again, Tensor y, Tensor dy, Tensor... inputs) {
        try (TensorVector ys = new TensorVector(y); TensorVector dys = new TensorVector(dy); TensorVector xs = new TensorVector(inputs)) {
            return torch.grad(ys, xs, dys, new BoolOptional(again), false, false);
        }
    }
}
