package dev.retrograd.core.cpu;

import dev.retrograd.core.DType;

/// The weight [O, Kh, Kw, I] of a convolution as the right operand of its input gradient: depth runs through
/// (kernel row, kernel column, output channel), lines are input channels, and the kernel is turned by 180°.
///
/// With stride s, pixels of the input fall into s² classes by their coordinates modulo s; one class sees only the taps
/// firstRow + s·t, firstColumn + s·u, here `rows` by `columns` of them, last tap first.
record KernelTaps(DType type, long address, int outputs, int kernelHeight, int kernelWidth, int inputs, int stride,
        int firstRow, int firstColumn, int rows, int columns) implements Source.Steps {

    @Override public void read(int batch, int k, int depth, int line, int count, long out, int width) {
        readPanels(batch, k, depth, line, count, out, width, 0);
    }

    @Override public void readPanels(int batch, int k, int depth, int line, int count, long out, int width, long panelBytes) {
        int tap = k / outputs;
        int output = k % outputs;
        long from = address(tap, line);
        long perOutput = stepBytes();
        for (int p = 0; p < depth; p++) {
            Widening.readPanels(type, from + output * perOutput, out + p * 4L * width, count, width, panelBytes);
            output++;
            if (output == outputs && p + 1 < depth) {
                output = 0;
                tap++;
                from = address(tap, line);
            }
        }
    }

    @Override public long inPlace(int batch, int k, int line) {
        return type == DType.F32 ? address(k / outputs, line) + k % outputs * stepBytes() : 0;
    }

    @Override public long stepBytes() {
        return (long) kernelHeight * kernelWidth * inputs * type.bytes();
    }

    @Override public int run(int k) {
        return outputs - k % outputs;
    }

    private long address(int tap, int line) {
        int row = firstRow + stride * (rows - 1 - tap / columns);
        int column = firstColumn + stride * (columns - 1 - tap % columns);
        return address + (((long) row * kernelWidth + column) * inputs + line) * type.bytes();
    }
}
