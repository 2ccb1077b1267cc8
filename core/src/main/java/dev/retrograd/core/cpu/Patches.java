package dev.retrograd.core.cpu;

import dev.retrograd.core.DType;
import java.util.Arrays;

/// Images seen as a matrix with one line per output pixel: the patch under the kernel, in the order (kernel row, kernel
/// column, channel), zero outside the image. Nothing of it is ever stored beyond a packed block (implicit im2col).
///
/// Output pixel (b, i, j) takes tap (t, u) from image pixel (b, i·stride − top + t, j·stride − left + u). Within one image
/// row the taps of a kernel row are contiguous, so a patch is read in as many runs as the kernel has rows.
///
/// @param address of float32 images [B, height, width, channels]
/// @param top zero rows before the image; negative where taps begin inside it
record Patches(long address, int height, int width, int channels, int outHeight, int outWidth, int kernelHeight,
        int kernelWidth, int stride, int top, int left) {

    /// Channels from which on a tap makes a block of depth of its own.
    private static final int SHORT = 256;

    /// True when a patch is a pixel, so that the images are the matrix.
    boolean dense() {
        return kernelHeight == 1 && kernelWidth == 1 && stride == 1 && top == 0 && left == 0 && outHeight == height
                && outWidth == width;
    }

    /// @return the operand whose lines are patches and whose depth runs through a patch
    Source lines() {
        return dense() ? new Source.DenseLines(DType.F32, address, channels, 0) : new AsLines(this);
    }

    /// @return the operand whose depth runs through the output pixels and whose lines are the places in a patch
    Source steps() {
        return dense() ? new Source.DenseSteps(DType.F32, address, channels, 0) : new AsSteps(this);
    }

    /// Floats of a kernel row.
    private int rowLength() {
        return kernelWidth * channels;
    }

    /// One output pixel: where its patch lies, and which part of a kernel row lies inside the image.
    private final class Cursor {
        private int image;
        private int row;
        private int column;
        private int leftmost;
        int validFrom;
        int validTo;

        Cursor(int pixel) {
            column = pixel % outWidth;
            row = pixel / outWidth % outHeight;
            image = pixel / outWidth / outHeight;
            enterColumn();
        }

        void next() {
            column++;
            if (column == outWidth) {
                column = 0;
                row++;
                if (row == outHeight) {
                    row = 0;
                    image++;
                }
            }
            enterColumn();
        }

        private void enterColumn() {
            leftmost = column * stride - left;
            validFrom = Math.clamp(-leftmost, 0, kernelWidth) * channels;
            validTo = Math.max(validFrom, Math.clamp(width - leftmost, 0, kernelWidth) * channels);
        }

        /// Whether kernel row `t` lies inside the image.
        boolean inside(int t) {
            int y = row * stride - top + t;
            return y >= 0 && y < height;
        }

        /// Address of place 0 of kernel row `t`, itself perhaps outside the image.
        long rowAddress(int t) {
            long y = (long) image * height + row * stride - top + t;
            return address + (y * width + leftmost) * channels * 4;
        }
    }

    private record AsLines(Patches patches) implements Source.Lines {
        @Override public void read(int batch, int line, int count, int k, int depth, float[] out) {
            Cursor cursor = patches.new Cursor(line);
            for (int i = 0; i < count; i++) {
                read(cursor, k, k + depth, out, i * MicroKernel.KC);
                cursor.next();
            }
        }

        /// Neighbouring pixels of a row see their taps a pixel apart, as long as none is outside the image.
        @Override public long inPlace(int batch, int line, int count, int k, int depth) {
            int rowLength = patches.rowLength();
            int t = k / rowLength;
            int from = k - t * rowLength;
            if (from + depth > rowLength || line % patches.outWidth + count > patches.outWidth) {
                return 0;
            }
            Cursor first = patches.new Cursor(line);
            Cursor last = patches.new Cursor(line + count - 1);
            return first.inside(t) && first.validFrom <= from && last.validTo >= from + depth ? first.rowAddress(t) + 4L * from : 0;
        }

        @Override public long lineBytes() {
            return 4L * patches.stride * patches.channels;
        }

        /// A tap, or where taps are short, a kernel row.
        @Override public int run() {
            return patches.channels >= SHORT ? patches.channels : patches.rowLength();
        }

        private void read(Cursor cursor, int begin, int end, float[] out, int at) {
            int rowLength = patches.rowLength();
            for (int k = begin; k < end; ) {
                int t = k / rowLength;
                int rowBegin = t * rowLength;
                int from = k - rowBegin;
                int to = Math.min(end - rowBegin, rowLength);
                int place = at + k - begin;
                if (cursor.inside(t)) {
                    int validFrom = Math.clamp(cursor.validFrom, from, to);
                    int validTo = Math.clamp(cursor.validTo, validFrom, to);
                    zero(out, place, validFrom - from);
                    Native.copy(cursor.rowAddress(t) + 4L * validFrom, out, place + validFrom - from, validTo - validFrom);
                    zero(out, place + validTo - from, to - validTo);
                } else {
                    zero(out, place, to - from);
                }
                k = rowBegin + to;
            }
        }

        private static void zero(float[] out, int at, int count) {
            if (count > 0) {
                Arrays.fill(out, at, at + count, 0);
            }
        }
    }

    private record AsSteps(Patches patches) implements Source.Steps {
        /// What is outside the image lies nowhere.
        @Override public long inPlace(int batch, int k, int line) {
            return 0;
        }

        @Override public long stepBytes() {
            return 0;
        }

        @Override public int run(int k) {
            return 1;
        }

        @Override public void read(int batch, int k, int depth, int line, int count, long out, int width) {
            int rowLength = patches.rowLength();
            for (int i = line; i < line + count; ) {
                int t = i / rowLength;
                int from = i - t * rowLength;
                int to = Math.min(line + count - t * rowLength, rowLength);
                readRow(k, depth, t, from, to, out + 4L * (i - line), width);
                i = t * rowLength + to;
            }
        }

        /// Places `from` to `to` of kernel row `t`, at every pixel.
        private void readRow(int pixel, int depth, int t, int from, int to, long out, int width) {
            Cursor cursor = patches.new Cursor(pixel);
            for (int p = 0; p < depth; p++, out += 4L * width) {
                if (cursor.inside(t)) {
                    int validFrom = Math.clamp(cursor.validFrom, from, to);
                    int validTo = Math.clamp(cursor.validTo, validFrom, to);
                    Native.zero(out, validFrom - from);
                    Native.copy(cursor.rowAddress(t) + 4L * validFrom, out + 4L * (validFrom - from), validTo - validFrom);
                    Native.zero(out + 4L * (validTo - from), to - validTo);
                } else {
                    Native.zero(out, to - from);
                }
                cursor.next();
            }
        }
    }
}
