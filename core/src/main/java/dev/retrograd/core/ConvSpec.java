package dev.retrograd.core;

/// The geometry of a two-dimensional convolution.
///
/// @param kernelHeight rows of the kernel
/// @param kernelWidth columns of the kernel
/// @param stride step between outputs, in both directions
/// @param padTop zero rows before the image; likewise the others
public record ConvSpec(int kernelHeight, int kernelWidth, int stride, int padTop, int padBottom, int padLeft, int padRight) {
    public ConvSpec {
        if (kernelHeight < 1 || kernelWidth < 1 || stride < 1) {
            throw new IllegalArgumentException("conv2d: kernel and stride must be 1 or more, got kernel " + kernelHeight + "×" + kernelWidth + ", stride " + stride);
        }
        if (padTop < 0 || padBottom < 0 || padLeft < 0 || padRight < 0) {
            throw new IllegalArgumentException("conv2d: padding must be 0 or more, got " + padTop + "," + padBottom + "," + padLeft + "," + padRight);
        }
    }

    /// A square kernel with the same padding on every side.
    public static ConvSpec square(int kernel, int stride, int padding) {
        return new ConvSpec(kernel, kernel, stride, padding, padding, padding, padding);
    }

    /// Rows of the output for an image of `height` rows.
    ///
    /// @throws ShapeException if the kernel does not fit into the padded image
    public int outHeight(int height) {
        return out("rows", height + padTop + padBottom, kernelHeight);
    }

    /// Columns of the output for an image of `width` columns.
    ///
    /// @throws ShapeException if the kernel does not fit into the padded image
    public int outWidth(int width) {
        return out("columns", width + padLeft + padRight, kernelWidth);
    }

    private int out(String what, int padded, int kernel) {
        if (padded < kernel) {
            throw new ShapeException("conv2d: the kernel's " + kernel + " " + what + " must fit into the padded image, got " + padded);
        }
        return (padded - kernel) / stride + 1;
    }
}
