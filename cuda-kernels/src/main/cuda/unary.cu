// Elementwise functions y = f(x) and their gradients dx = f'(x) * dy; an output may be an input. Types of 16 bits are computed in float32.
//
// Grid: any number of blocks of 256 threads; each thread takes every (grid size)-th element. No shared memory. Deterministic.
// p, q: lower and upper bound of a clamp; p: exponent of a power. Powers are computed in float64, whatever the type.
#include "common.cuh"

__device__ __forceinline__ float exp_(float x) { return expf(x); }
__device__ __forceinline__ double exp_(double x) { return exp(x); }
__device__ __forceinline__ float log_(float x) { return logf(x); }
__device__ __forceinline__ double log_(double x) { return log(x); }
__device__ __forceinline__ float tanh_(float x) { return tanhf(x); }
__device__ __forceinline__ double tanh_(double x) { return tanh(x); }
__device__ __forceinline__ float sqrt_(float x) { return sqrtf(x); }
__device__ __forceinline__ double sqrt_(double x) { return sqrt(x); }
__device__ __forceinline__ float rint_(float x) { return rintf(x); }
__device__ __forceinline__ double rint_(double x) { return rint(x); }
__device__ __forceinline__ float erfc_(float x) { return erfcf(x); }
__device__ __forceinline__ double erfc_(double x) { return erfc(x); }

template <typename T> __device__ __forceinline__ T sigmoid(T x) { return 1 / (1 + exp_(-x)); }
template <typename T> __device__ __forceinline__ T normal_cdf(T x) { return erfc_(x * T(-0.70710678118654752440)) / 2; }
template <typename T> __device__ __forceinline__ T normal_density(T x) { return exp_(x * x / -2) * T(0.39894228040143267794); }
// Derivative of x * sigmoid(x) from s = sigmoid(x).
template <typename T> __device__ __forceinline__ T gated_slope(T s, T x) { return s * (1 + x * (1 - s)); }

// x^p: by squaring for integers up to 64, else through the logarithm.
__device__ __forceinline__ double power(double x, double p) {
    if (p != rint(p)) {
        return exp(p * log(x));
    }
    if (fabs(p) > 64) {
        double magnitude = exp(p * log(fabs(x)));
        return x < 0 && rint(p / 2) * 2 != p ? -magnitude : magnitude;
    }
    double result = 1;
    for (int n = (int) fabs(p); n > 0; n >>= 1) {
        result = n & 1 ? result * x : result;
        x *= x;
    }
    return p < 0 ? 1 / result : result;
}

#define FUNCTION(name, value, slope) \
    struct name { \
        template <typename T> static __device__ __forceinline__ T f(T x, double p, double q) { return value; } \
        template <typename T> static __device__ __forceinline__ T d(T x, double p, double q) { return slope; } \
    };
FUNCTION(silu, x * sigmoid(x), gated_slope(sigmoid(x), x))
FUNCTION(gelu, x * normal_cdf(x), normal_cdf(x) + x * normal_density(x))
FUNCTION(quick_gelu, x * sigmoid(T(1.702) * x), gated_slope(sigmoid(T(1.702) * x), T(1.702) * x))
FUNCTION(sigmoid_, sigmoid(x), sigmoid(x) * sigmoid(-x))
FUNCTION(tanh__, tanh_(x), 1 - tanh_(x) * tanh_(x))
FUNCTION(relu, x < 0 ? T(0) : x, x > 0 ? T(1) : T(0))
FUNCTION(exp__, exp_(x), exp_(x))
FUNCTION(log__, log_(x), 1 / x)
FUNCTION(sqrt__, sqrt_(x), T(0.5) / sqrt_(x))
FUNCTION(abs_, x < 0 ? -x : x > 0 ? x : x * 0, x > 0 ? T(1) : x < 0 ? T(-1) : x)
FUNCTION(pow_, T(power(x, p)), p == 0 ? T(0) : T(p * power(x, p - 1)))
FUNCTION(clamp, x < T(p) ? T(p) : x > T(q) ? T(q) : x, x >= T(p) && x <= T(q) ? T(1) : T(0))
FUNCTION(round_cubic, rint_(x) + (x - rint_(x)) * (x - rint_(x)) * (x - rint_(x)), 3 * (x - rint_(x)) * (x - rint_(x)))
FUNCTION(round_straight, rint_(x), T(1))

#define ENTRIES(function, name, T, suffix) \
    extern "C" __global__ void unary_##name##_##suffix(const T* x, T* y, i64 n, double p, double q) { \
        EACH(i, n) { y[i] = stored<T>(function::f(wide(x[i]), p, q)); } \
    } \
    extern "C" __global__ void unary_##name##_bwd_##suffix(const T* x, const T* dy, T* dx, i64 n, double p, double q) { \
        EACH(i, n) { dx[i] = stored<T>(function::d(wide(x[i]), p, q) * wide(dy[i])); } \
    }
#define EVERY(function, name) ENTRIES(function, name, float, f32) ENTRIES(function, name, double, f64) ENTRIES(function, name, f16, f16) ENTRIES(function, name, bf16, bf16)
EVERY(silu, silu)
EVERY(gelu, gelu)
EVERY(quick_gelu, quick_gelu)
EVERY(sigmoid_, sigmoid)
EVERY(tanh__, tanh)
EVERY(relu, relu)
EVERY(exp__, exp)
EVERY(log__, log)
EVERY(sqrt__, sqrt)
EVERY(abs_, abs)
EVERY(pow_, pow)
EVERY(clamp, clamp)
EVERY(round_cubic, round_cubic)
EVERY(round_straight, round_straight)
