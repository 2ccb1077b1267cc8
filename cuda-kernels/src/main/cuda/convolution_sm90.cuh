// Convolution of channels-last images on warpgroups (ring.cuh): a matrix product whose left rows are pixels under a kernel's tap, brought as boxes of an image.
//
//   fwd:       y[(b, ho, wo), o] = sum over (kh, kw, i) of x[b, ho * s - top + kh, wo * s - left + kw, i] * w[o, kh, kw, i]
//   bwd_input: dx[(b, h, w), i] = sum over (kh, kw, o) of dy[b, h + top - kh, w + left - kw, o] * w[o, kh, kw, i], for s = 1
//
// A stage is 64 channels under one tap. Pixels beyond the edge are outside of the tensor, hence zeros; so are channels beyond the last. A block has a box of
// 128 pixels of the result, of which those beyond its edges are computed and not written. Grid: (boxes, columns / BN, splits).
#pragma once
#include "ring.cuh"

// The result, in boxes of 2^log_width x 2^log_height pixels of as many images as make 128: `across` and `down` of them cover an image. Its pixel (h, w) meets
// tap (i, j) at row h * stride + top + i * direction, column w * stride + left + j * direction. `taps` of the kernel, `kernel_width` in a row of it.
struct Window {
    int images, height, width, across, down, log_width, log_height;
    int stride, top, left, direction, taps, kernel_width;
    int channels, columns, splits;
};

template <typename C, typename T, bool FORWARD> __device__ __forceinline__ void convolve(const TensorMap& pixels, const TensorMap& weight, const Finish& e, const Window& g) {
    int chunks = (g.channels + STAGE_K - 1) / STAGE_K;
    int column = blockIdx.x % g.across << g.log_width;
    int row = blockIdx.x / g.across % g.down << g.log_height;
    int image = blockIdx.x / g.across / g.down * (BM >> g.log_width + g.log_height);
    ring_product<false, C, T, true, FORWARD>(e, Size{g.images * g.height * g.width, g.columns, g.taps * chunks, g.splits}, [&](unsigned to, unsigned barrier, int stage) {
        int tap = stage / chunks;
        int channel = (stage - tap * chunks) * STAGE_K;
        int i = tap / g.kernel_width;
        int j = tap - i * g.kernel_width;
        copy_box(to, pixels, channel, column * g.stride + g.left + j * g.direction, row * g.stride + g.top + i * g.direction, image, barrier);
        if constexpr (FORWARD) {
            copy_box(to + T::A_BYTES, weight, channel, tap, blockIdx.y * T::BN, barrier);
        } else {
#pragma unroll
            for (int piece = 0; piece < T::BN / 64; piece++) {
                copy_box(to + T::A_BYTES + piece * PIECE_BYTES, weight, blockIdx.y * T::BN + piece * 64, tap, channel, barrier);
            }
        }
    }, [&](int p) {
        int x = column + (p & (1 << g.log_width) - 1);
        int y = row + (p >> g.log_width & (1 << g.log_height) - 1);
        int b = image + (p >> g.log_width + g.log_height);
        return x < g.width && y < g.height && b < g.images ? (b * g.height + y) * g.width + x : -1;
    });
}

#define ENTRY(C, T, FORWARD, direction) \
    extern "C" __global__ void __launch_bounds__(384, 1) convolution_sm90_##C##_##direction##_##T(const __grid_constant__ TensorMap pixels, const __grid_constant__ TensorMap weight, Finish e, Window g) { \
        convolve<C, T, FORWARD>(pixels, weight, e, g); \
    }
#define ENTRIES(C) ENTRY(C, Ring128x128, true, fwd) ENTRY(C, Ring128x128, false, bwd_input) ENTRY(C, Ring128x256, true, fwd) ENTRY(C, Ring128x256, false, bwd_input)
