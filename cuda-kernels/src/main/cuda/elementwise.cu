// Elementwise functions of several tensors: y = f(a, b) with broadcasting, y = constant + sum of c[k] * x[k], and fills; an output may be an input.
// Types of 16 bits are computed in float32.
//
// Grid: any number of blocks of 256 threads; each thread takes every (grid size)-th element. No shared memory. Deterministic.
#include "common.cuh"

#define MAX_RANK 6
#define MAX_TERMS 16

// How an index of y reads a and b: sizes outermost first, and strides that are 0 along broadcast axes.
struct Broadcast {
    i64 rank;
    i64 sizes[MAX_RANK];
    i64 a[MAX_RANK];
    i64 b[MAX_RANK];
};

struct Terms {
    i64 x[MAX_TERMS];
};

struct Coefficients {
    double c[MAX_TERMS];
};

#define FUNCTION(name, value) \
    struct name { \
        template <typename T> static __device__ __forceinline__ T f(T a, T b) { return value; } \
    };
FUNCTION(add, a + b)
FUNCTION(sub, a - b)
FUNCTION(mul, a * b)
FUNCTION(div_, a / b)
FUNCTION(max_, a > b || a != a ? a : b)
FUNCTION(min_, a < b || a != a ? a : b)

template <typename F, typename T> __device__ __forceinline__ void broadcast(const T* a, const T* b, T* y, i64 n, const Broadcast& shape) {
    EACH(i, n) {
        i64 rest = i;
        i64 ia = 0;
        i64 ib = 0;
#pragma unroll
        for (int d = MAX_RANK - 1; d >= 0; d--) {
            if (d < shape.rank) {
                i64 at = rest % shape.sizes[d];
                rest /= shape.sizes[d];
                ia += at * shape.a[d];
                ib += at * shape.b[d];
            }
        }
        y[i] = stored<T>(F::f(wide(a[ia]), wide(b[ib])));
    }
}

#define ENTRIES(function, name, T, suffix) \
    extern "C" __global__ void binary_##name##_##suffix(const T* a, const T* b, T* y, i64 n) { \
        EACH(i, n) { y[i] = stored<T>(function::f(wide(a[i]), wide(b[i]))); } \
    } \
    extern "C" __global__ void binary_##name##_broadcast_##suffix(const T* a, const T* b, T* y, i64 n, Broadcast shape) { \
        broadcast<function, T>(a, b, y, n, shape); \
    }
#define EVERY(function, name) ENTRIES(function, name, float, f32) ENTRIES(function, name, double, f64) ENTRIES(function, name, f16, f16) ENTRIES(function, name, bf16, bf16)
EVERY(add, add)
EVERY(sub, sub)
EVERY(mul, mul)
EVERY(div_, div)
EVERY(max_, max)
EVERY(min_, min)

template <typename T> __device__ __forceinline__ void combine(double constant, const Coefficients& c, const Terms& terms, int count, T* y, i64 n) {
    typedef decltype(wide(T())) Wide;
    EACH(i, n) {
        Wide sum = Wide(constant);
#pragma unroll
        for (int k = 0; k < MAX_TERMS; k++) {
            if (k < count) {
                sum += Wide(c.c[k]) * wide(reinterpret_cast<const T*>(terms.x[k])[i]);
            }
        }
        y[i] = stored<T>(sum);
    }
}

#define COMBINATION(T, suffix) \
    extern "C" __global__ void linear_combination_##suffix(double constant, Coefficients c, Terms terms, int count, T* y, i64 n) { \
        combine(constant, c, terms, count, y, n); \
    }
COMBINATION(float, f32)
COMBINATION(double, f64)
COMBINATION(f16, f16)
COMBINATION(bf16, bf16)

// Every element gets the low bits of `bits`.
#define FILL(T, suffix) \
    extern "C" __global__ void fill_##suffix(T* y, i64 bits, i64 n) { \
        EACH(i, n) { y[i] = (T) bits; } \
    }
FILL(u8, b8)
FILL(unsigned short, b16)
FILL(unsigned, b32)
FILL(i64, b64)
