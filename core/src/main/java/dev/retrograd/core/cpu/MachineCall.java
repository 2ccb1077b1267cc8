package dev.retrograd.core.cpu;

/// Arguments of machine code, in the System V calling convention: `(base: rdi, bytes from it: rsi, call: rdx, scratch: rcx)`. Base plus
/// bytes is where rows, lines or steps begin, in an array or (from base 0) in native memory; `scratch` is an array or, where panels are written,
/// what their address counts from; `call` is the address of a block of the layout below, offsets in bytes.
final class MachineCall {
    /// Address of the (first) panel.
    static final int PANEL = 0;
    /// From one panel to the next.
    static final int PANEL_BYTES = 8;
    /// Steps of depth; in a transpose, blocks of them.
    static final int DEPTH = 16;
    /// Tiles of one call; in packing, panels.
    static final int TILES = 24;
    /// Address of the bias of the result's column 0, or 0.
    static final int BIAS = 32;
    /// From a row's address to its first column, in bytes.
    static final int SHIFT = 40;
    static final int ALPHA = 48;
    /// 0 to overwrite, 1 to add.
    static final int ADD = 52;
    /// Lanes of the last vector, as bits.
    static final int LANES = 56;
    /// From one row, line or step to the next, in bytes.
    static final int STRIDE = 64;
    /// Address of rows that will be used next.
    static final int NEXT = 72;
    /// What takes that address three rows on after a tile.
    static final int NEXT_ROWS = 80;
    /// Where scratch begins, in bytes from its base.
    static final int SCRATCH = 88;
    /// Addresses of the result's rows.
    static final int ROWS = 96;
    static final int BYTES = ROWS + 8 * 16;

    private MachineCall() {}
}
