package dev.retrograd.core.cpu;

import jdk.incubator.vector.FloatVector;

/// The innermost loops of a matrix product: how operands are packed, multiplied tile by tile, and added to the result.
///
/// A tile is `rows × columns` outputs held in registers over a run of at most [#KC] depth steps: each step broadcasts one float per row and
/// multiplies it with two vectors. The left operand's rows lie one after the other, packed in an array [#KC] apart or, where a kernel reads
/// them there, in the operand itself; the right one lies in native memory as panels, `columns` floats per depth step. The sum over depth is
/// one chain of fused multiply-adds per output whatever the tile and the kernel, so results do not depend on how a matrix was cut.
abstract sealed class MicroKernel permits VectorKernel, MachineKernel {

    /// Depth of one packed block, and the distance between packed rows, in floats.
    static final int KC = 384;

    private final int lanes;
    private final int rows;

    MicroKernel(int lanes, int rows) {
        this.lanes = lanes;
        this.rows = rows;
    }

    /// What becomes of a tile: `C = alpha·tile + bias`, or `C += alpha·tile + bias`.
    ///
    /// @param bias address of the bias of the result's column 0, or 0 where there is none
    record Update(float alpha, long bias, boolean add) {
        boolean hasBias() {
            return bias != 0;
        }
    }

    /// @return the kernel for this machine: in machine code where [MachineCode] can be, otherwise of its preferred vector width
    static MicroKernel preferred() {
        VectorKernel vectors = VectorKernel.ofBits(Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize()));
        return MachineCode.AVAILABLE ? new MachineKernel(vectors) : vectors;
    }

    final int lanes() {
        return lanes;
    }

    /// Rows of a whole tile.
    final int rows() {
        return rows;
    }

    /// Columns of a tile, and floats per depth step of a panel.
    final int columns() {
        return 2 * lanes;
    }

    /// Rows of a tile rounded up to whole vectors: what a transposed block of rows occupies.
    final int paddedRows() {
        return (rows + lanes - 1) / lanes * lanes;
    }

    /// Rows that are computed for `height` rows.
    abstract int paddedHeight(int height);

    /// Whether rows may lie anywhere in memory, unpacked.
    abstract boolean readsInPlace();

    /// Packs `count ≤ lanes` lines as a half of a panel, which begins at `panel`.
    abstract void packPanel(Source.Lines lines, int batch, int line, int count, int k, int depth, long panel, Workspace w);

    /// Packs the lines from `line` on as panels, `panelBytes` apart.
    abstract void packPanels(Source.Steps steps, int batch, int line, int count, int k, int depth, long panels, long panelBytes, Workspace w);

    /// Packs `height` lines as rows: as [Workspace#rowsPacked] and [Workspace#rowsAt] find them.
    abstract void packRows(Source.Steps steps, int batch, int line, int height, int k, int depth, Workspace w);

    /// A row of tiles: `height` rows, which lie where `w` says, by `width` columns of the panels, to the result's rows `w.target`, `shift`
    /// bytes into them; the bias begins at that column, too.
    abstract void strip(Workspace w, int height, long panels, long panelBytes, int width, int depth, Update update, long shift);

    /// One tile, whose columns are the result's rows `w.target`, `shift` bytes into them.
    abstract void turnedTile(Workspace w, int height, long panel, int width, int depth, Update update, long shift);
}
