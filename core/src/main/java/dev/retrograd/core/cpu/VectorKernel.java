package dev.retrograd.core.cpu;

/// Tiles of compiled vectors, one subclass per vector width.
///
/// The layout obeys the compiler: constant row distances give bare loads; accumulators are locals; and a tile is written to scratch, because
/// a method that also updated the result would exceed what the optimising compiler accepts.
abstract sealed class VectorKernel extends MicroKernel permits VectorKernel512, VectorKernel256, VectorKernel128 {
    private final int lanes;
    private final int rows;
    private final int edgeRows;

    /// @param edgeRows rows of the smaller tile for a lower edge
    VectorKernel(int lanes, int rows, int edgeRows) {
        super(lanes, rows);
        this.lanes = lanes;
        this.rows = rows;
        this.edgeRows = edgeRows;
    }

    /// @param bits 128, 256 or 512; wider than the machine's vectors is correct but very slow
    static VectorKernel ofBits(int bits) {
        return switch (bits) {
            case 512 -> new VectorKernel512();
            case 256 -> new VectorKernel256();
            case 128 -> new VectorKernel128();
            default -> throw new IllegalArgumentException("gemm: vector width must be 128, 256 or 512 bits, got " + bits);
        };
    }

    /// Whole tiles, then whole edges.
    @Override final int paddedHeight(int height) {
        int left = height % rows;
        return height - left + (left > 2 * edgeRows ? rows : (left + edgeRows - 1) / edgeRows * edgeRows);
    }

    /// Constant distances between rows make for bare loads.
    @Override final boolean readsInPlace() {
        return false;
    }

    @Override final void packPanel(Source.Lines lines, int batch, int line, int count, int k, int depth, long panel, Workspace w) {
        lines.read(batch, line, count, k, depth, w.lines);
        for (int q = 0; q < depth; q += lanes) {
            transpose(w.lines, q, KC, panel + 4L * q * columns(), 4L * columns());
        }
    }

    @Override final void packPanels(Source.Steps steps, int batch, int line, int count, int k, int depth, long panels, long panelBytes, Workspace w) {
        steps.readPanels(batch, k, depth, line, count, panels, columns(), panelBytes);
    }

    @Override final void packRows(Source.Steps steps, int batch, int line, int height, int k, int depth, Workspace w) {
        int padded = GemmPlan.extent(height, 1, lanes);
        steps.read(batch, k, depth, line, height, w.steps, padded);
        Native.copyBlock(w.steps, w.left, depth * padded);
        for (int r = 0; r < padded; r += lanes) {
            for (int q = 0; q < depth; q += lanes) {
                transpose(w.left, q * padded + r, padded, w.rows + 4L * (r * KC + q), 4L * KC);
            }
        }
        for (int r = 0; r < height; r++) {
            Native.copy(w.rows + 4L * r * KC, w.left, r * KC, depth);
        }
    }

    @Override final void strip(Workspace w, int height, long panels, long panelBytes, int width, int depth, Update update, long shift) {
        for (int j = 0; j < width; j += columns()) {
            int count = Math.min(columns(), width - j);
            multiply(w.left, w.packedAt(), height, panels + j / columns() * panelBytes, count, depth, w.tile);
            store(w.tile, height, count, update, w.target, shift + 4L * j);
        }
    }

    @Override final void turnedTile(Workspace w, int height, long panel, int width, int depth, Update update, long shift) {
        multiply(w.left, w.packedAt(), height, panel, width, depth, w.tile);
        for (int r = 0; r < paddedRows(); r += lanes) {
            for (int c = 0; c < width; c += lanes) {
                transpose(w.tile, r * columns() + c, columns(), w.turned + 4L * (c * paddedRows() + r), 4L * paddedRows());
            }
        }
        storeTurned(w.turned, width, height, update, w.target, shift);
    }

    /// Computes a tile of `height ≤ rows` (from `a[at]`) by `width ≤ columns` into `out` (row distance `columns`). Scratch outside that
    /// part holds anything afterwards.
    final void multiply(float[] a, int at, int height, long b, int width, int depth, float[] out) {
        boolean narrow = width <= lanes;
        if (height > 2 * edgeRows) {
            if (narrow) {
                tileNarrow(a, at, b, depth, out);
            } else {
                tile(a, at, b, depth, out);
            }
            return;
        }
        for (int r = 0; r < height; r += edgeRows) {
            if (narrow) {
                edgeNarrow(a, at + r * KC, b, depth, out, r * columns());
            } else {
                edge(a, at + r * KC, b, depth, out, r * columns());
            }
        }
    }

    /// Whole tile of rows from `a[at]`.
    abstract void tile(float[] a, int at, long b, int depth, float[] out);

    /// Whole height, left vector only.
    abstract void tileNarrow(float[] a, int at, long b, int depth, float[] out);

    /// `edgeRows` rows from `a[at]`, to `out[outAt]`.
    abstract void edge(float[] a, int at, long b, int depth, float[] out, int outAt);

    /// `edgeRows` rows, left vector only.
    abstract void edgeNarrow(float[] a, int at, long b, int depth, float[] out, int outAt);

    /// Transposes a block of `lanes × lanes` floats: rows `stride` floats apart from `from[at]`, to rows `toStride` bytes
    /// apart from address `to`. Interleaving the rows i and i + lanes/2 rotates the bits of (row, column) by one, so
    /// log2(lanes) rounds exchange row and column.
    abstract void transpose(float[] from, int at, int stride, long to, long toStride);

    /// Applies `update` with a tile to `rows × columns` floats of the result, whose rows begin at `target[r] + shift`
    /// (bytes); `shift` is the column's distance from column 0, so it addresses the bias as well.
    abstract void store(float[] tile, int rows, int columns, Update update, long[] target, long shift);

    /// As [#store], from a transposed tile in native memory (row distance [#paddedRows]).
    abstract void storeTurned(long turned, int rows, int columns, Update update, long[] target, long shift);
}
