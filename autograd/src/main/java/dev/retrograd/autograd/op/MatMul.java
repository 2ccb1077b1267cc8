package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Batched matrix product `op(a)·op(b)`: a `[..., M,K]` (`[..., K,M]` transposed), b `[..., K,N]` (`[..., N,K]` transposed), y `[..., M,N]`.
///
/// Both have the same leading axes, or b is of rank 2 and shared by the whole batch. Parity: torch.matmul.
public record MatMul(boolean transposeA, boolean transposeB) implements Op<MatMul.Saved> {

    public record Saved(Tensor a, Tensor b, Spec aSpec, Spec bSpec) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 2, in);
        Shape a = in[0].shape();
        Shape b = in[1].shape();
        Check.shape(a.rank() >= 2 && b.rank() >= 2, name(), "both inputs must be of rank 2 or more", in[0], in[1]);
        boolean sameBatch = a.rank() == b.rank();
        for (int i = 0; sameBatch && i < a.rank() - 2; i++) {
            sameBatch = a.dim(i) == b.dim(i);
        }
        Check.shape(sameBatch || b.rank() == 2, name(), "both inputs must have the same leading axes, or the second must be of rank 2", in[0], in[1]);
        int k = a.dim(transposeA ? -2 : -1);
        Check.shape(k == b.dim(transposeB ? -1 : -2), name(), "the inner sizes must agree" + (transposeA ? ", first transposed" : "") + (transposeB ? ", second transposed" : ""), in[0], in[1]);
        return in[0].with(a.with(-2, a.dim(transposeA ? -1 : -2)).with(-1, b.dim(transposeB ? -2 : -1)));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec(), in[1].spec()));
        b.matmul(in[0], transposeA, in[1], transposeB, y);
        return new Out<>(y, new Saved(needs.of(1) ? in[0] : null, needs.of(0) ? in[1] : null, in[0].spec(), in[1].spec()));
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        boolean shared = s.bSpec().shape().rank() == 2 && s.aSpec().shape().rank() > 2;
        Tensor da = null;
        Tensor db = null;
        if (needs.of(0)) {
            da = b.empty("da", s.aSpec());
            if (!transposeA) {
                b.matmul(dy, false, s.b(), !transposeB, da);
            } else if (!shared) {
                b.matmul(s.b(), transposeB, dy, true, da);
            } else {
                for (int i = 0; i < batch(dy); i++) {
                    b.matmul(s.b(), transposeB, matrix(dy, i), true, matrix(da, i));
                }
            }
        }
        if (needs.of(1)) {
            db = b.empty("db", s.bSpec());
            if (shared) {
                sharedGradient(b, s.a(), dy, db);
            } else if (transposeB) {
                b.matmul(dy, true, s.a(), transposeA, db);
            } else {
                b.matmul(s.a(), !transposeA, dy, false, db);
            }
        }
        return new Tensor[] {da, db};
    }

    /// A shared b's gradient sums over the batch, in its order.
    private void sharedGradient(Backend b, Tensor a, Tensor dy, Tensor db) {
        b.fill(db, 0);
        for (int i = 0; i < batch(dy); i++) {
            if (transposeB) {
                b.matmulAcc(matrix(dy, i), true, matrix(a, i), transposeA, db);
            } else {
                b.matmulAcc(matrix(a, i), !transposeA, matrix(dy, i), false, db);
            }
        }
    }

    private static int batch(Tensor t) {
        return Math.toIntExact(t.shape().span(0, t.shape().rank() - 2));
    }

    /// The i-th matrix of a batch, `[M,N]`; a view.
    private static Tensor matrix(Tensor t, int i) {
        return t.reshape(batch(t), t.dim(-2), t.dim(-1)).leading(i, 1).reshape(t.dim(-2), t.dim(-1));
    }
}
