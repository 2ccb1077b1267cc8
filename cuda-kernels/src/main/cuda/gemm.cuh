// A float32 matrix product on plain FMA: y[m, n] (+)= alpha * sum over k of a(m, k) * b(k, n) (+ bias[n]).
//
// Operands are read through small structs, so that a convolution is the same product with another way of gathering. A block of 256 threads
// computes a tile of 64 x 64, each thread 4 x 4, in steps of 16 along k; what lies outside is read as 0. Shared memory: 8.5 KiB.
// Accumulation: float32 in the order of k: deterministic.
#pragma once
#include "common.cuh"

#define TILE 64
#define STEP 16
#define PAD 4

// Where a tile's results go. Without bias or accumulation these are 0.
struct Epilogue {
    float* y;
    const float* bias;
    i64 accumulate;
};

// LONG_A: neighbouring threads load neighbouring k of a; otherwise neighbouring m. Likewise LONG_B.
template <typename A, typename B> __device__ __forceinline__ void gemm(const A& a, const B& b, const Epilogue& e, float alpha, int m, int n, int k,
        bool long_a, bool long_b) {
    __shared__ float as[STEP][TILE + PAD];
    __shared__ float bs[STEP][TILE + PAD];
    int m0 = blockIdx.x * TILE;
    int n0 = blockIdx.y * TILE;
    int row = threadIdx.x / 16 * 4;
    int column = threadIdx.x % 16 * 4;
    float sum[4][4] = {};
    for (int k0 = 0; k0 < k; k0 += STEP) {
#pragma unroll
        for (int i = 0; i < TILE * STEP / 256; i++) {
            int t = threadIdx.x + i * 256;
            int ak = long_a ? t % STEP : t / TILE;
            int am = long_a ? t / STEP : t % TILE;
            as[ak][am] = m0 + am < m && k0 + ak < k ? a.at(m0 + am, k0 + ak) : 0;
            int bk = long_b ? t % STEP : t / TILE;
            int bn = long_b ? t / STEP : t % TILE;
            bs[bk][bn] = n0 + bn < n && k0 + bk < k ? b.at(k0 + bk, n0 + bn) : 0;
        }
        __syncthreads();
#pragma unroll 4
        for (int p = 0; p < STEP; p++) {
            float4 x = *reinterpret_cast<const float4*>(&as[p][row]);
            float4 w = *reinterpret_cast<const float4*>(&bs[p][column]);
            float xs[4] = {x.x, x.y, x.z, x.w};
            float ws[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
            for (int i = 0; i < 4; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    sum[i][j] += xs[i] * ws[j];
                }
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int r = m0 + row + i;
            int c = n0 + column + j;
            if (r < m && c < n) {
                i64 at = (i64) r * n + c;
                float v = alpha * sum[i][j];
                v = e.bias ? v + e.bias[c] : v;
                e.y[at] = e.accumulate ? e.y[at] + v : v;
            }
        }
    }
}
