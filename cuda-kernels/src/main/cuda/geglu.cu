// The gated GELU of rows of any activation type: y = value * gelu(gate), [value, gate] the halves of a row of x; gelu(x) = x * cdf(x), by erf.
//
// Grid: any number of blocks of 256 threads, each taking V neighbouring channels at a time. No shared memory. Arithmetic: float32. Deterministic.
#include "norm.cuh"

__device__ __forceinline__ float normal_cdf(float x) { return erfcf(x * -0.70710678f) / 2; }

// y has n units of V elements, rows of `units`.
template <int V, typename T> __device__ __forceinline__ void forward(const T* x, T* y, i64 n, i64 units) {
    EACH(i, n) {
        const T* value = x + (i / units * 2 * units + i % units) * V;
        float v[V];
        float gate[V];
        load(v, value);
        load(gate, value + units * V);
#pragma unroll
        for (int k = 0; k < V; k++) {
            v[k] *= gate[k] * normal_cdf(gate[k]);
        }
        store(y + i * V, v);
    }
}

template <int V, typename T> __device__ __forceinline__ void backward(const T* x, const T* dy, T* dx, i64 n, i64 units) {
    EACH(i, n) {
        i64 at = (i / units * 2 * units + i % units) * V;
        float v[V];
        float gate[V];
        float d[V];
        load(v, x + at);
        load(gate, x + at + units * V);
        load(d, dy + i * V);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float g = gate[k];
            float cdf = normal_cdf(g);
            gate[k] = d[k] * v[k] * (cdf + g * (expf(g * g / -2) * 0.39894228f));
            v[k] = d[k] * (g * cdf);
        }
        store(dx + at, v);
        store(dx + at + units * V, gate);
    }
}

#define WIDTH(T, V) \
    extern "C" __global__ void geglu_fwd_##V##_##T(const T* x, T* y, i64 n, i64 units) { forward<V>(x, y, n, units); } \
    extern "C" __global__ void geglu_bwd_##V##_##T(const T* x, const T* dy, T* dx, i64 n, i64 units) { backward<V>(x, dy, dx, n, units); }
#define TYPE(T) \
    WIDTH(T, 1) \
    WIDTH(T, 4)
TYPE(f32)
TYPE(f16)
TYPE(bf16)
