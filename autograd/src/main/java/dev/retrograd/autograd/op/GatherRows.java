package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// Rows of a table by number: table `[V,C]`, ids `I32 [...]` within 0..V−1, y `F32 [..., C]`. Parity: torch.nn.functional.embedding.
///
/// A table of 16 bits, at rest or of activations, gives float32 rows; its gradient has its type. The caller checks the ids: they are data, and no kernel reads data for control.
public record GatherRows() implements Op<GatherRows.Saved> {

    public record Saved(Tensor ids, Spec table) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 2, in);
        Check.shape(in[0].shape().rank() == 2, name(), "table must be [V,C]", in[0]);
        if (in[1].dtype() != DType.I32) {
            throw new DTypeException(name() + ": ids must be I32, got " + in[1]);
        }
        int[] ids = in[1].shape().toArray();
        int[] out = Arrays.copyOf(ids, ids.length + 1);
        out[ids.length] = in[0].shape().channels();
        return new Spec(Shape.of(out), in[0].dtype() == DType.F64 ? DType.F64 : DType.F32);
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec(), in[1].spec()));
        b.gatherRows(in[0], in[1], y);
        return new Out<>(y, needs.of(0) ? new Saved(in[1], in[0].spec()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dtable = b.empty("dtable", s.table());
        b.scatterRows(dy, s.ids(), dtable);
        return new Tensor[] {dtable, null};
    }
}
