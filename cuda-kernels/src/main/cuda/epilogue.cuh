// What becomes of the sums of a matrix product: v = scale * sum + bias, an activation, + residual, added to what y holds or put in its place.
// Four results of a row at a time.
#pragma once
#include "common.cuh"

// y and the residual of `type` (0 float32, 1 f16, 2 bf16), bias float32; a bias, residual or workspace that is not there is 0.
// activation: 0 none, 1 SiLU, 2 GELU (erf), 3 GEGLU, whose columns come in turns of 8, values then gates. `aligned`: four results of y and the
// residual are one access.
struct Finish {
    char* y;
    const float* bias;
    const char* residual;
    float* partial;
    i64 type;
    i64 accumulate;
    i64 activation;
    i64 columns;
    i64 aligned;
    double scale;
    // Of a gated product: where its columns go before they are multiplied, [rows, 2 * columns].
    char* hidden;
};

#define FOUR _Pragma("unroll") for (int u = 0; u < 4; u++)

template <typename T> __device__ __forceinline__ void get(float (&v)[4], const char* p, i64 i, int n, bool whole) {
    const T* from = reinterpret_cast<const T*>(p) + i;
    if (whole) {
        T all[4];
        if constexpr (sizeof(T) == 4) {
            *reinterpret_cast<uint4*>(all) = *reinterpret_cast<const uint4*>(from);
        } else {
            *reinterpret_cast<uint2*>(all) = *reinterpret_cast<const uint2*>(from);
        }
        FOUR { v[u] = to_float(all[u]); }
    } else {
        FOUR { v[u] = u < n ? to_float(from[u]) : 0; }
    }
}

template <typename T> __device__ __forceinline__ unsigned pair(T low, T high) { return __byte_perm(low.bits, high.bits, 0x5410); }

template <typename T> __device__ __forceinline__ void put(const float (&v)[4], char* p, i64 i, int n, bool whole) {
    T* to = reinterpret_cast<T*>(p) + i;
    if (whole) {
        T all[4];
        FOUR { all[u] = from_float<T>(v[u]); }
        if constexpr (sizeof(T) == 4) {
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(all);
        } else {
            *reinterpret_cast<uint2*>(to) = make_uint2(pair(all[0], all[1]), pair(all[2], all[3]));
        }
    } else {
        FOUR {
            if (u < n) {
                to[u] = from_float<T>(v[u]);
            }
        }
    }
}

__device__ __forceinline__ void get(float (&v)[4], const char* p, int type, i64 i, int n, bool whole) {
    if (type == 0) {
        get<float>(v, p, i, n, whole);
    } else if (type == 1) {
        get<f16>(v, p, i, n, whole);
    } else {
        get<bf16>(v, p, i, n, whole);
    }
}

__device__ __forceinline__ void put(const float (&v)[4], char* p, int type, i64 i, int n, bool whole) {
    if (type == 0) {
        put<float>(v, p, i, n, whole);
    } else if (type == 1) {
        put<f16>(v, p, i, n, whole);
    } else {
        put<bf16>(v, p, i, n, whole);
    }
}

__device__ __forceinline__ float biased(const Finish& e, float sum, i64 column) { return (float) e.scale * sum + (e.bias ? e.bias[column] : 0); }

// Applies scale, bias and activation to n sums of columns from `column` on, in place; of a gated product, whose gates lie 8 further on, too. One at a
// time: so there is one copy of the code.
__device__ __forceinline__ void activate(const Finish& e, float* sums, int column, int n) {
#pragma unroll 1
    for (int u = 0; u < n; u++) {
        float v = biased(e, sums[u], column + u);
        float x = e.activation == 3 ? biased(e, sums[u + 8], e.columns + column + u) : v;
        float gate = e.activation == 1 ? 1 / (1 + expf(-x)) : erfcf(x * -0.70710678118654752440f) / 2 * (e.activation == 3 ? x : 1);
        sums[u] = v * gate;
    }
}

// Puts n values and gates of a gated product, from `column` on of a row, beside their product.
__device__ __forceinline__ void put_hidden(const Finish& e, const float* sums, i64 row, int column, int n) {
#pragma unroll 1
    for (int gate = 0; gate < 2; gate++) {
        float v[4];
        FOUR { v[u] = u < n ? biased(e, sums[gate * 8 + u], gate * e.columns + column + u) : 0; }
        put(v, e.hidden, (int) e.type, (row * 2 + gate) * e.columns + column, n, n == 4 && e.aligned);
    }
}

// n sums of columns from `column` on, activated already if they are to be, become results from element i on.
template <bool ACTIVE> __device__ __forceinline__ void finish(const Finish& e, i64 i, int column, float (&v)[4], int n) {
    bool whole = n == 4 && e.aligned;
    if (!ACTIVE || e.activation == 0) {
        FOUR { v[u] = u < n ? biased(e, v[u], column + u) : 0; }
    }
    float more[4];
    if (e.residual) {
        get(more, e.residual, (int) e.type, i, n, whole);
        FOUR { v[u] += more[u]; }
    }
    if (e.accumulate) {
        get(more, e.y, (int) e.type, i, n, whole);
        FOUR { v[u] += more[u]; }
    }
    put(v, e.y, (int) e.type, i, n, whole);
}

// Four sums of a product's row, from column `column` of its n on, to where they belong: of a `split` product to the workspace, whose rows are those of every
// part, one part after another, otherwise to the results. A gated product's gates lie 8 further on. `from` is in shared memory and is overwritten.
// ACTIVE: whether an activation may be asked for; kernels without that code are much shorter.
template <bool ACTIVE> __device__ __forceinline__ void finish_quad(const Finish& e, float* from, i64 row, int column, int n, bool split) {
    int columns = n;
    bool gated = ACTIVE && e.activation == 3;
    if (gated) {
        columns = column & 8 ? 0 : (int) e.columns;
        column = column / 16 * 8 + column % 8;
    }
    if (column >= columns) {
        return;
    }
    int count = columns - column < 4 ? columns - column : 4;
    if (gated) {
        put_hidden(e, from, row, column, count);
    }
    if (ACTIVE && e.activation != 0 && !split) {
        activate(e, from, column, count);
    }
    float v[4];
    *reinterpret_cast<float4*>(v) = *reinterpret_cast<const float4*>(from);
    if (split) {
        put<float>(v, reinterpret_cast<char*>(e.partial), row * n + column, count, count == 4 && n % 4 == 0);
    } else {
        finish<ACTIVE>(e, row * e.columns + column, column, v, count);
    }
}
