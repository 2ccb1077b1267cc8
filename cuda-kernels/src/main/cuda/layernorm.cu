// Layer normalisation and softmax of rows of channels, of any activation type; gamma, beta and statistics float32.
//
//   y = gamma * (x - mean) * rstd + beta;  dx = rstd * (g - mean(g) - xhat * mean(g * xhat)) with g = gamma * dy, xhat = (x - mean) * rstd
//   softmax: y = exp(x - max) / sum;  dx = y * (dy - sum(y * dy))
//
// Layer norm: a warp per row, 8 rows to a block of 256 threads, V neighbouring channels read at once; a row is read again from the cache.
// Softmax: a block of 256 threads per row. Shared memory: softmax 384 bytes. Sums: float32 per thread, float64 over threads, in a fixed order:
// deterministic.
#include "norm.cuh"

#define WARPS 8

template <int V, typename T> __device__ __forceinline__ void forward(const T* x, const float* gamma, const float* beta, T* y, float* mean, float* rstd,
        i64 rows, int channels, double eps) {
    i64 row = blockIdx.x * (i64) WARPS + threadIdx.x / 32;
    if (row >= rows) {
        return;
    }
    int lane = threadIdx.x & 31;
    x += row * channels;
    y += row * channels;
    Moments m;
#pragma unroll 1
    for (int c = lane * V; c < channels; c += 32 * V) {
        float v[V];
        load(v, x + c);
#pragma unroll
        for (int i = 0; i < V; i++) {
            m.add(v[i]);
        }
    }
    m.close();
    Statistics st = statistics(warp_sum(m.sum), warp_sum(m.squares), channels, eps);
    if (lane == 0) {
        mean[row] = st.mean;
        rstd[row] = st.rstd;
    }
#pragma unroll 1
    for (int c = lane * V; c < channels; c += 32 * V) {
        float v[V];
        load(v, x + c);
#pragma unroll
        for (int i = 0; i < V; i++) {
            v[i] = gamma[c + i] * ((v[i] - st.mean) * st.rstd) + beta[c + i];
        }
        store(y + c, v);
    }
}

// dx may be dy.
template <int V, typename T> __device__ __forceinline__ void backward(const T* x, const float* gamma, const float* mean, const float* rstd, const T* dy, T* dx,
        i64 rows, int channels) {
    i64 row = blockIdx.x * (i64) WARPS + threadIdx.x / 32;
    if (row >= rows) {
        return;
    }
    int lane = threadIdx.x & 31;
    x += row * channels;
    dy += row * channels;
    dx += row * channels;
    Statistics st = {mean[row], rstd[row]};
    float sum = 0;
    float dot = 0;
#pragma unroll 1
    for (int c = lane * V; c < channels; c += 32 * V) {
        float v[V];
        float d[V];
        load(v, x + c);
        load(d, dy + c);
#pragma unroll
        for (int i = 0; i < V; i++) {
            float g = gamma[c + i] * d[i];
            sum += g;
            dot += g * ((v[i] - st.mean) * st.rstd);
        }
    }
    float mean_g = (float) (warp_sum((double) sum) / channels);
    float mean_dot = (float) (warp_sum((double) dot) / channels);
#pragma unroll 1
    for (int c = lane * V; c < channels; c += 32 * V) {
        float v[V];
        float d[V];
        load(v, x + c);
        load(d, dy + c);
#pragma unroll
        for (int i = 0; i < V; i++) {
            v[i] = st.rstd * (gamma[c + i] * d[i] - mean_g - (v[i] - st.mean) * st.rstd * mean_dot);
        }
        store(dx + c, v);
    }
}

template <typename T> __device__ __forceinline__ void softmax(const T* x, T* y, i64 n) {
    __shared__ float largest[32];
    __shared__ double scratch[32];
    x += blockIdx.x * n;
    y += blockIdx.x * n;
    float top = -INFINITY;
#pragma unroll 1
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        top = fmaxf(top, to_float(x[i]));
    }
    top = warp_max(top);
    if ((threadIdx.x & 31) == 0) {
        largest[threadIdx.x >> 5] = top;
    }
    __syncthreads();
#pragma unroll 1
    for (int w = 0; w < blockDim.x >> 5; w++) {
        top = fmaxf(top, largest[w]);
    }
    double sum = 0;
#pragma unroll 1
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        sum += (double) expf(to_float(x[i]) - top);
    }
    float scale = (float) (1 / block_sum(sum, scratch));
#pragma unroll 1
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        y[i] = from_float<T>(expf(to_float(x[i]) - top) * scale);
    }
}

// dx may be dy.
template <typename T> __device__ __forceinline__ void softmax_backward(const T* y, const T* dy, T* dx, i64 n) {
    __shared__ double scratch[32];
    y += blockIdx.x * n;
    dy += blockIdx.x * n;
    dx += blockIdx.x * n;
    double dot = 0;
#pragma unroll 1
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        dot += (double) (to_float(y[i]) * to_float(dy[i]));
    }
    dot = block_sum(dot, scratch);
#pragma unroll 1
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        dx[i] = from_float<T>(to_float(y[i]) * (to_float(dy[i]) - (float) dot));
    }
}

#define WIDTH(T, V) \
    extern "C" __global__ void layer_norm_fwd_##V##_##T(const T* x, const float* gamma, const float* beta, T* y, float* mean, float* rstd, \
            i64 rows, int channels, double eps) { \
        forward<V>(x, gamma, beta, y, mean, rstd, rows, channels, eps); \
    } \
    extern "C" __global__ void layer_norm_bwd_##V##_##T(const T* x, const float* gamma, const float* mean, const float* rstd, const T* dy, T* dx, \
            i64 rows, int channels) { \
        backward<V>(x, gamma, mean, rstd, dy, dx, rows, channels); \
    }
#define TYPE(T) \
    WIDTH(T, 1) \
    WIDTH(T, 4) \
    extern "C" __global__ void softmax_fwd_##T(const T* x, T* y, i64 n) { softmax(x, y, n); } \
    extern "C" __global__ void softmax_bwd_##T(const T* y, const T* dy, T* dx, i64 n) { softmax_backward(y, dy, dx, n); }
TYPE(f32)
TYPE(f16)
TYPE(bf16)
