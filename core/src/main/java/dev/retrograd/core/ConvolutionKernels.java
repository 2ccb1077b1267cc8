package dev.retrograd.core;

/// Two-dimensional convolution on channels-last images, as torch.nn.functional.conv2d (cross-correlation).
///
/// x `[B,H,W,I]`, w `[O,Kh,Kw,I]`, bias `[O]`, y `[B,Ho,Wo,O]` with `Ho = spec.outHeight(H)`.
public interface ConvolutionKernels extends ElementwiseKernels {

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y);

    /// With a bias, an epilogue where the backend has one.
    default void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        conv2d(spec, x, w, y);
        binary(Binary.ADD, y, bias, y);
    }

    /// The gradient of the input from that of the output.
    void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx);

    /// The gradient of the weight; a bias's is {@link ReductionKernels#sumTo}.
    void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw);
}
