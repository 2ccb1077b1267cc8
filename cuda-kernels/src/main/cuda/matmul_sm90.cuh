// Batched matrix products on warpgroups (ring.cuh), y[m, n] = sum over k of a(m, k) * b(n, k). Grid: (m / 128, n / BN, batch * splits), rounded up.
#pragma once
#include "ring.cuh"

// `a_step`, `b_step`: 0 where all products share the operand's one matrix, otherwise 1.
struct Problem {
    int m, n, k, splits, a_step, b_step;
};

// A box of an operand's stage: with k running fastest all rows at once, otherwise in pieces of 64 rows.
template <bool K_MAJOR, int ROWS> __device__ __forceinline__ void copy_stage(unsigned to, const TensorMap& map, int row, int k, int matrix, unsigned barrier) {
    if constexpr (K_MAJOR) {
        copy_box(to, map, k, row, matrix, barrier);
    } else {
#pragma unroll
        for (int i = 0; i < ROWS / 64; i++) {
            copy_box(to + i * PIECE_BYTES, map, row + i * 64, k, matrix, barrier);
        }
    }
}

// A gated product's columns come in turns of 8 values and 8 gates: boxes of both.
template <int BN> __device__ __forceinline__ void copy_gated_stage(unsigned to, const TensorMap& map, int column, int k, unsigned barrier) {
#pragma unroll 1
    for (int i = 0; i < BN / 16; i++) {
        copy_box(to + i * 2048, map, k, column / 2 + i * 8, 0, barrier);
    }
}

template <typename C, typename T, bool A_K, bool B_K> __device__ __forceinline__ void product(const TensorMap& a, const TensorMap& b, const Finish& e, const Problem& x) {
    int matrix = blockIdx.z / x.splits;
    ring_product<true, C, T, A_K, B_K>(e, Size{x.m, x.n, (x.k + STAGE_K - 1) / STAGE_K, x.splits}, [&](unsigned to, unsigned barrier, int stage) {
        int k = stage * STAGE_K;
        copy_stage<A_K, BM>(to, a, blockIdx.x * BM, k, matrix * x.a_step, barrier);
        if (e.activation == 3) {
            copy_gated_stage<T::BN>(to + T::A_BYTES, b, blockIdx.y * T::BN, k, barrier);
        } else {
            copy_stage<B_K, T::BN>(to + T::A_BYTES, b, blockIdx.y * T::BN, k, matrix * x.b_step, barrier);
        }
    }, [&](int i) {
        int row = blockIdx.x * BM + i;
        return row < x.m ? row : -1;
    });
}

#define ENTRY(C, T, A_K, B_K, layout) \
    extern "C" __global__ void __launch_bounds__(384, 1) matmul_sm90_##C##_##layout##_##T(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, Finish e, Problem x) { \
        product<C, T, A_K, B_K>(a, b, e, x); \
    }
#define LAYOUTS(C, T) ENTRY(C, T, true, true, kk) ENTRY(C, T, true, false, kn) ENTRY(C, T, false, false, mn)
#define ENTRIES(C) LAYOUTS(C, Ring128x128) LAYOUTS(C, Ring128x256) ENTRY(C, Ring128x128, false, true, mk)
