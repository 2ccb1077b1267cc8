// Convolution of channels-last images on tensor cores: the matrix products of convolution.cu, whose rows are gathered on their way to shared memory.
//
// Where channels are a multiple of a chunk, a chunk lies within one pixel and is copied asynchronously, or is zeros beyond the edge.
#pragma once
#include "convolution.cuh"
#include "tensor_product.cuh"

#define ENTRY(name, T) \
    extern "C" __global__ void __launch_bounds__(BOUNDS(T)) convolution_fwd_##name##_##T(Data x, Data w, Finish e, Geometry g, int splits) { \
        int k = g.kh * g.kw * g.i; \
        product<false, name, T, true, true>(Patches{x, g}, lines_of(w, g.o, k), e, Extent{g.b * g.ho * g.wo, g.o, k, splits}); \
    } \
    extern "C" __global__ void __launch_bounds__(BOUNDS(T)) convolution_bwd_input_##name##_##T(Data dy, Data w, Finish e, Geometry g, int splits) { \
        product<false, name, T, true, false>(Spread{dy, g}, TurnedWeight{w, g}, e, Extent{g.b * g.h * g.w, g.i, g.kh * g.kw * g.o, splits}); \
    } \
    extern "C" __global__ void __launch_bounds__(BOUNDS(T)) convolution_bwd_weight_##name##_##T(Data dy, Data x, Finish e, Geometry g, int splits) { \
        int rows = g.b * g.ho * g.wo; \
        product<false, name, T, false, false>(lines_of(dy, rows, g.o), Patches{x, g}, e, Extent{g.o, g.kh * g.kw * g.i, rows, splits}); \
    }
#define ENTRIES(name) ENTRY(name, Tile128x128) ENTRY(name, Tile128x64) ENTRY(name, Tile64x64) ENTRY(name, Tile64x32)
