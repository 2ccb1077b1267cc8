// What all kernels share: element types, their conversions, loops over elements.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef long long i64;
typedef unsigned char u8;

// Visits every element once, whatever the number of blocks.
#define EACH(i, n) _Pragma("unroll 1") for (i64 i = blockIdx.x * (i64) blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (i64) blockDim.x)

// Storage types with tags of their own: f16 and bf16 are 16 bits each.
struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(f16 x) { return __half2float(__ushort_as_half(x.bits)); }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float((unsigned) x.bits << 16); }

template <typename T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ f16 from_float<f16>(float x) { return f16{__half_as_ushort(__float2half_rn(x))}; }
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) { return bf16{__bfloat16_as_ushort(__float2bfloat16_rn(x))}; }

// What a type's arithmetic is done in, float32 for 16 bits, and back.
__device__ __forceinline__ float wide(float x) { return x; }
__device__ __forceinline__ double wide(double x) { return x; }
__device__ __forceinline__ float wide(f16 x) { return to_float(x); }
__device__ __forceinline__ float wide(bf16 x) { return to_float(x); }
template <typename T> __device__ __forceinline__ T stored(float x) { return from_float<T>(x); }
template <typename T> __device__ __forceinline__ T stored(double x) { return x; }

// Sum over the lanes of a warp, in the same order every time; the result is in every lane.
template <typename T> __device__ __forceinline__ T warp_sum(T v) {
    for (int d = 16; d > 0; d >>= 1) {
        v += __shfl_xor_sync(0xFFFFFFFFu, v, d);
    }
    return v;
}

// Largest value over the lanes of a warp.
__device__ __forceinline__ float warp_max(float v) {
    for (int d = 16; d > 0; d >>= 1) {
        v = fmaxf(v, __shfl_xor_sync(0xFFFFFFFFu, v, d));
    }
    return v;
}

// Sum over a block of up to 1024 threads (a multiple of 32), the result in every thread. `scratch` holds 32 values.
template <typename T> __device__ __forceinline__ T block_sum(T v, T* scratch) {
    v = warp_sum(v);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) {
        scratch[threadIdx.x >> 5] = v;
    }
    __syncthreads();
    T sum = 0;
    for (int w = 0; w < blockDim.x >> 5; w++) {
        sum += scratch[w];
    }
    return sum;
}
