// Conversion between all element types: to narrower floats nearest with ties to even, to integers truncated and limited, NaN to 0.
//
// Grid: any number of blocks of 256 threads; each thread takes every (grid size)-th element. No shared memory. Deterministic.
#include "common.cuh"

template <typename T> struct Kind { static const int value = 0; }; // 0 integer, 1 float up to 32 bits, 2 float64
template <> struct Kind<float> { static const int value = 1; };
template <> struct Kind<f16> { static const int value = 1; };
template <> struct Kind<bf16> { static const int value = 1; };
template <> struct Kind<double> { static const int value = 2; };

template <typename T> __device__ __forceinline__ double to_double(T x) { return (double) x; }
template <> __device__ __forceinline__ double to_double(f16 x) { return to_float(x); }
template <> __device__ __forceinline__ double to_double(bf16 x) { return to_float(x); }

// A float32 whose last bit tells that something was lost, so that rounding it further rounds the number itself.
__device__ __forceinline__ float round_to_odd(double x) {
    float f = __double2float_rz(x);
    return f == x || x != x ? f : __uint_as_float(__float_as_uint(f) | 1);
}

__device__ __forceinline__ i64 truncated(double x) { return x != x ? 0 : (i64) x; }

template <typename T> __device__ __forceinline__ T limited(i64 x);
template <> __device__ __forceinline__ i64 limited<i64>(i64 x) { return x; }
template <> __device__ __forceinline__ int limited<int>(i64 x) { return (int) (x < -2147483648LL ? -2147483648LL : x > 2147483647LL ? 2147483647LL : x); }
template <> __device__ __forceinline__ u8 limited<u8>(i64 x) { return (u8) (x < 0 ? 0 : x > 255 ? 255 : x); }

template <typename T> __device__ __forceinline__ T from_double(double x) { return limited<T>(truncated(x)); }
template <> __device__ __forceinline__ double from_double<double>(double x) { return x; }
template <> __device__ __forceinline__ float from_double<float>(double x) { return (float) x; }
template <> __device__ __forceinline__ f16 from_double<f16>(double x) { return from_float<f16>(round_to_odd(x)); }
template <> __device__ __forceinline__ bf16 from_double<bf16>(double x) { return from_float<bf16>(round_to_odd(x)); }

template <typename From, typename To> __device__ __forceinline__ To converted(From x) {
    if constexpr (Kind<From>::value == 1 && Kind<To>::value == 1) {
        return from_float<To>(to_float(x));
    } else if constexpr (Kind<From>::value == 0 && Kind<To>::value == 0) {
        return limited<To>((i64) x);
    } else {
        return from_double<To>(to_double(x));
    }
}

#define ENTRY(From, from, To, to) \
    extern "C" __global__ void convert_##from##_##to(const From* x, To* y, i64 n) { \
        EACH(i, n) { y[i] = converted<From, To>(x[i]); } \
    }
#define FROM(From, from) \
    ENTRY(From, from, double, f64) ENTRY(From, from, float, f32) ENTRY(From, from, f16, f16) ENTRY(From, from, bf16, bf16) \
    ENTRY(From, from, i64, i64) ENTRY(From, from, int, i32) ENTRY(From, from, u8, u8)
FROM(double, f64)
FROM(float, f32)
FROM(f16, f16)
FROM(bf16, bf16)
FROM(i64, i64)
FROM(int, i32)
FROM(u8, u8)
