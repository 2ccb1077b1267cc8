// Convolution of channels-last images as a matrix product that gathers its rows, float32 (gemm.cuh); weights may have 16 bits.
//
//   fwd:        y[(b, ho, wo), o] = sum over (kh, kw, i) of x[b, ho * s - top + kh, wo * s - left + kw, i] * w[o, kh, kw, i]
//   bwd_input:  dx[(b, h, w), i] = sum over (kh, kw, o) of dy[b, (h + top - kh) / s, (w + left - kw) / s, o] * w[o, kh, kw, i]
//   bwd_weight: dw[o, (kh, kw, i)] = sum over (b, ho, wo) of dy[b, ho, wo, o] * x[b, ho * s - top + kh, wo * s - left + kw, i]
//
// Grid: (rows / 64, columns / 64) of the result rounded up; 256 threads. Deterministic.
#include "gemm.cuh"

// x [b, h, w, i], y [b, ho, wo, o], w [o, kh, kw, i]; stride s, `top` and `left` zero rows and columns before the image.
struct Geometry {
    int b, h, w, i, ho, wo, o, kh, kw, s, top, left;
};

// x under the kernel: row (b, ho, wo), column (kh, kw, i).
struct Patches {
    const float* x;
    Geometry g;
    __device__ __forceinline__ float at(int row, int column) const {
        int wo = row % g.wo;
        int ho = row / g.wo % g.ho;
        int b = row / g.wo / g.ho;
        int i = column % g.i;
        int kw = column / g.i % g.kw;
        int kh = column / g.i / g.kw;
        int h = ho * g.s - g.top + kh;
        int w = wo * g.s - g.left + kw;
        return h >= 0 && h < g.h && w >= 0 && w < g.w ? x[(((i64) b * g.h + h) * g.w + w) * g.i + i] : 0;
    }
};

// dy over the kernel: row (b, h, w), column (kh, kw, o).
struct Spread {
    const float* dy;
    Geometry g;
    __device__ __forceinline__ float at(int row, int column) const {
        int w = row % g.w;
        int h = row / g.w % g.h;
        int b = row / g.w / g.h;
        int o = column % g.o;
        int kw = column / g.o % g.kw;
        int kh = column / g.o / g.kw;
        int hs = h + g.top - kh;
        int ws = w + g.left - kw;
        if (hs < 0 || ws < 0 || hs % g.s != 0 || ws % g.s != 0 || hs / g.s >= g.ho || ws / g.s >= g.wo) {
            return 0;
        }
        return dy[(((i64) b * g.ho + hs / g.s) * g.wo + ws / g.s) * g.o + o];
    }
};

// w as [(kh, kw, i), o].
template <typename T> struct Weight {
    const T* w;
    int k;
    __device__ __forceinline__ float at(int row, int column) const { return to_float(w[(i64) column * k + row]); }
};

// w as [(kh, kw, o), i].
template <typename T> struct TransposedWeight {
    const T* w;
    Geometry g;
    __device__ __forceinline__ float at(int row, int column) const {
        int o = row % g.o;
        int tap = row / g.o;
        return to_float(w[((i64) o * g.kh * g.kw + tap) * g.i + column]);
    }
};

// dy as [o, (b, ho, wo)].
struct Transposed {
    const float* dy;
    int o;
    __device__ __forceinline__ float at(int row, int column) const { return dy[(i64) column * o + row]; }
};

#define ENTRIES(T, suffix) \
    extern "C" __global__ void convolution_fwd_##suffix(const float* x, const T* w, Epilogue e, Geometry g) { \
        int k = g.kh * g.kw * g.i; \
        gemm(Patches{x, g}, Weight<T>{w, k}, e, 1, g.b * g.ho * g.wo, g.o, k, true, true); \
    } \
    extern "C" __global__ void convolution_bwd_input_##suffix(const float* dy, const T* w, Epilogue e, Geometry g) { \
        gemm(Spread{dy, g}, TransposedWeight<T>{w, g}, e, 1, g.b * g.h * g.w, g.i, g.kh * g.kw * g.o, true, false); \
    }
ENTRIES(float, f32)
ENTRIES(f16, f16)
ENTRIES(bf16, bf16)

extern "C" __global__ void convolution_bwd_weight_f32(const float* x, const float* dy, Epilogue e, Geometry g) {
    gemm(Transposed{dy, g.o}, Patches{x, g}, e, 1, g.o, g.kh * g.kw * g.i, g.b * g.ho * g.wo, false, false);
}
