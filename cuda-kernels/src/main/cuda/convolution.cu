// Convolution of channels-last images as a matrix product that gathers its rows, float32 (gemm.cuh); weights may have 16 bits.
//
//   fwd:        y[(b, ho, wo), o] = sum over (kh, kw, i) of x[b, ho * s - top + kh, wo * s - left + kw, i] * w[o, kh, kw, i]
//   bwd_input:  dx[(b, h, w), i] = sum over (kh, kw, o) of dy[b, (h + top - kh) / s, (w + left - kw) / s, o] * w[o, kh, kw, i]
//   bwd_weight: dw[o, (kh, kw, i)] = sum over (b, ho, wo) of dy[b, ho, wo, o] * x[b, ho * s - top + kh, wo * s - left + kw, i]
//
// Grid: (rows / 64, columns / 64) of the result rounded up; 256 threads. Deterministic.
#include "convolution.cuh"
#include "gemm.cuh"

// Element (i, j) as the j-th of line i, and as the i-th of line j.
template <typename S> struct Along {
    S source;
    __device__ __forceinline__ float at(int i, int j) const {
        i64 at;
        return source.run(source.line(i), j, at) > 0 ? load(source.data, at) : 0;
    }
};
template <typename S> struct Across {
    Along<S> turned;
    __device__ __forceinline__ float at(int i, int j) const { return turned.at(j, i); }
};

extern "C" __global__ void convolution_fwd_f32(Data x, Data w, Epilogue e, Geometry g) {
    int k = g.kh * g.kw * g.i;
    gemm(Along<Patches>{{x, g}}, Across<Plain>{{lines_of(w, g.o, k)}}, e, 1, g.b * g.ho * g.wo, g.o, k, true, true);
}

extern "C" __global__ void convolution_bwd_input_f32(Data dy, Data w, Epilogue e, Geometry g) {
    gemm(Along<Spread>{{dy, g}}, Along<TurnedWeight>{{w, g}}, e, 1, g.b * g.h * g.w, g.i, g.kh * g.kw * g.o, true, false);
}

extern "C" __global__ void convolution_bwd_weight_f32(Data dy, Data x, Epilogue e, Geometry g) {
    int rows = g.b * g.ho * g.wo;
    gemm(Across<Plain>{{lines_of(dy, rows, g.o)}}, Along<Patches>{{x, g}}, e, 1, g.o, g.kh * g.kw * g.i, rows, false, false);
}
