// Convolution of channels-last images on warpgroups (ring.cuh): a matrix product whose left rows are pixels under a kernel's tap, brought as boxes of an image.
//
//   fwd:       y[(b, ho, wo), o] = sum over (kh, kw, i) of x[b, ho * s - top + kh, wo * s - left + kw, i] * w[o, kh, kw, i]
//   bwd_input: dx[(b, h, w), i] = sum over (kh, kw, o) of dy[b, (h + top - kh) / s, (w + left - kw) / s, o] * w[o, kh, kw, i], where these are whole: one launch
//              for every s-th row and column of dx, which all meet the same taps, every s-th of them
//
// A stage is 64 channels under one tap. Pixels beyond the edge are outside of the tensor, hence zeros; so are channels beyond the last. A block has a box of
// 128 pixels of the result, of which those beyond its edges are computed and not written. Grid: (boxes, columns / BN, splits).
#pragma once
#include "ring.cuh"

// Every `step`-th row and column of the result from the first ones on, in boxes of 2^log_width x 2^log_height pixels of as many images as make 128: `across` and
// `down` of them cover an image. Pixel (h, w) of these meets tap (i, j) at row h * stride + top + i * direction, column w * stride + left + j * direction. There
// are `taps` of them, `taps_across` in a row; in the weight, (i, j) is first_tap + i * tap_down + j * step.
struct Window {
    int images, height, width, step, first_row, first_column, across, down, log_width, log_height;
    int stride, top, left, direction, taps, taps_across, first_tap, tap_down;
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
        int i = tap / g.taps_across;
        int j = tap - i * g.taps_across;
        int of_weight = g.first_tap + i * g.tap_down + j * g.step;
        copy_box(to, pixels, channel, column * g.stride + g.left + j * g.direction, row * g.stride + g.top + i * g.direction, image, barrier);
        if constexpr (FORWARD) {
            copy_box(to + T::A_BYTES, weight, channel, of_weight, blockIdx.y * T::BN, barrier);
        } else {
#pragma unroll
            for (int piece = 0; piece < T::BN / 64; piece++) {
                copy_box(to + T::A_BYTES + piece * PIECE_BYTES, weight, blockIdx.y * T::BN + piece * 64, of_weight, channel, barrier);
            }
        }
    }, [&](int p) {
        int x = (column + (p & (1 << g.log_width) - 1)) * g.step + g.first_column;
        int y = (row + (p >> g.log_width & (1 << g.log_height) - 1)) * g.step + g.first_row;
        int b = image + (p >> g.log_width + g.log_height);
        return x < g.width && y < g.height && b < g.images ? (b * g.height + y) * g.width + x : -1;
    });
}

#define ENTRY(C, T, FORWARD, direction) \
    extern "C" __global__ void __launch_bounds__(384, 1) convolution_sm90_##C##_##direction##_##T(const __grid_constant__ TensorMap pixels, const __grid_constant__ TensorMap weight, Finish e, Window g) { \
        convolve<C, T, FORWARD>(pixels, weight, e, g); \
    }
#define ENTRIES(C) ENTRY(C, Ring128x128, true, fwd) ENTRY(C, Ring128x128, false, bwd_input) ENTRY(C, Ring128x256, true, fwd) ENTRY(C, Ring128x256, false, bwd_input)
