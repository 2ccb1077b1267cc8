// Statistics and gradients of normalisation, shared by group and layer norms.
#pragma once
#include "common.cuh"

typedef float f32;

__device__ __forceinline__ float sigmoid(float x) { return 1 / (1 + __expf(-x)); }

// V neighbouring elements, read or written at once.
template <typename T, int V> struct alignas(sizeof(T) * V) Unit { T at[V]; };

template <int V, typename T> __device__ __forceinline__ void load(float (&to)[V], const T* from) {
    Unit<T, V> u = *reinterpret_cast<const Unit<T, V>*>(from);
#pragma unroll
    for (int i = 0; i < V; i++) {
        to[i] = to_float(u.at[i]);
    }
}

template <int V, typename T> __device__ __forceinline__ void store(T* to, const float (&from)[V]) {
    Unit<T, V> u;
#pragma unroll
    for (int i = 0; i < V; i++) {
        u.at[i] = from_float<T>(from[i]);
    }
    *reinterpret_cast<Unit<T, V>*>(to) = u;
}

// Rows of `units` units each that `threads` threads share, neighbouring threads neighbouring units.
struct Share {
    int row, unit, units, row_step, unit_step;

    __device__ __forceinline__ Share(int thread, int threads, int units)
        : row(thread / units), unit(thread % units), units(units), row_step(threads / units), unit_step(threads % units) {}

    __device__ __forceinline__ void next() {
        row += row_step;
        unit += unit_step;
        if (unit >= units) {
            unit -= units;
            row++;
        }
    }
};

// A thread's sums of x and x^2: exact in float64 but for sums of differences from the thread's first value, which float32 holds well.
struct Moments {
    double sum = 0, squares = 0;
    float origin = 0, d = 0, dd = 0;
    int count = 0;

    __device__ __forceinline__ void add(float x) {
        origin = count == 0 ? x : origin;
        float off = x - origin;
        d += off;
        dd += off * off;
        count++;
    }

    __device__ __forceinline__ void close() {
        double mean = count == 0 ? 0 : origin + (double) d / count;
        sum = mean * count;
        squares = (double) dd - (count == 0 ? 0 : (double) d * d / count) + mean * sum;
    }
};

struct Sums {
    double a, b;
};

// Sums over a block of up to 1024 threads (a multiple of 32), the result in every thread.
__device__ __forceinline__ Sums over_block(double a, double b) {
    __shared__ Sums scratch[32];
    a = warp_sum(a);
    b = warp_sum(b);
    if ((threadIdx.x & 31) == 0) {
        scratch[threadIdx.x >> 5] = Sums{a, b};
    }
    __syncthreads();
    Sums all = {0, 0};
#pragma unroll 1
    for (int w = 0; w < blockDim.x >> 5; w++) {
        all.a += scratch[w].a;
        all.b += scratch[w].b;
    }
    return all;
}

struct Statistics {
    float mean, rstd;
};

__device__ __forceinline__ Statistics statistics(double sum, double squares, double n, double eps) {
    double mean = sum / n;
    double variance = squares / n - mean * mean;
    return Statistics{(float) mean, (float) (1 / sqrt((variance > 0 ? variance : 0) + eps))};
}

// The gradient at the normalised value: gamma * dy, through silu'(gamma * xhat + beta) where SiLU follows.
template <bool SILU> __device__ __forceinline__ float inner_gradient(float xhat, float dy, float gamma, float beta) {
    if (SILU) {
        float z = gamma * xhat + beta;
        float s = sigmoid(z);
        dy *= s * (1 + z * (1 - s));
    }
    return gamma * dy;
}
