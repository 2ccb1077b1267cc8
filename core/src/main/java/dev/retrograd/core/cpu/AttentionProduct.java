package dev.retrograd.core.cpu;

/// The small matrix product under attention.
///
/// Both products of attention, and all of its backward's, are `out = Σₚ left[p][·] ⊗ right[p][·]` for many rows and
/// [AttentionTile#COLUMNS] columns. The columns are queries (or keys), so softmax works on whole vectors and never sums across lanes. The
/// right operand lies in native memory, `COLUMNS` floats per depth step; the left one as the kernel likes it.
abstract sealed class AttentionProduct permits VectorAttentionProduct, MachineAttentionProduct {

    /// A left operand: packed, or a matrix in memory with a stride in bytes.
    ///
    /// @param panels it, if packed
    /// @param address of the matrix
    /// @param stride of the matrix' rows
    /// @param rows of the result
    /// @param depth that it was made for
    record Left(float[] panels, long address, long stride, int rows, int depth, TileCode.Left layout) {}

    /// @return machine code where it can be, otherwise compiled vectors
    static AttentionProduct preferred() {
        return MachineCode.AVAILABLE ? new MachineAttentionProduct() : new VectorAttentionProduct();
    }

    /// Whether left operands are packed, to panels that callers give.
    abstract boolean packs();

    /// The left operand whose rows are rows of a matrix, its depth the matrix' width.
    ///
    /// @param matrix address of its first element
    /// @param rowBytes distance of its rows
    /// @param panels for it, if this product [#packs]
    abstract Left rows(long matrix, long rowBytes, int count, int width, AttentionScratch s, float[] panels);

    /// The left operand whose rows are columns of a matrix, its depth the matrix' height.
    abstract Left columns(long matrix, long rowBytes, int count, int width, float[] panels);

    /// `out = left·right`, or added to it, all rows of the left operand, `COLUMNS` floats apart.
    ///
    /// @param depth at most the operand's
    /// @param right address of the right operand
    /// @param to where the rows begin in `out`
    /// @param columns that are wanted; the others may hold anything afterwards
    abstract void multiply(AttentionScratch s, Left left, int depth, long right, float[] out, int to, int columns, boolean add);

    /// Transposes a tile of scores to where [AttentionScratch#turned] says.
    ///
    /// @param from rows of [AttentionTile#COLUMNS] floats
    /// @param tile which one of the block
    /// @param rows of it; whole vectors of rows are written
    abstract void turn(AttentionScratch s, float[] from, int tile, int rows);
}
