// Group and layer normalisation, softmax and the gated GELU on rows of channels, float32.
//
//   y = gamma * (x - mean) * rstd + beta, rstd = 1 / sqrt(var + eps), var the biased variance
//   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)) with g = gamma * dy, xhat = (x - mean) * rstd
//
// A group is `width` neighbouring channels of `rows` rows of one image; a layer norm's is one row (rows = 1, width = channels). Grids: one
// block of 256 threads per group or row; gradients of gamma and beta: one block per channel. Shared memory: 256 bytes. Statistics and sums
// accumulate in float64 in a fixed order: deterministic.
#include "common.cuh"

// Element e of group g: images of `rows` x `channels`, `groups` groups each.
__device__ __forceinline__ i64 element(i64 g, i64 e, i64 rows, i64 channels, i64 groups) {
    i64 width = channels / groups;
    return (g / groups * rows + e / width) * channels + g % groups * width + e % width;
}

__device__ __forceinline__ i64 channel(i64 g, i64 e, i64 channels, i64 groups) {
    i64 width = channels / groups;
    return g % groups * width + e % width;
}

__device__ __forceinline__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }

template <bool SILU> __device__ __forceinline__ void norm_fwd(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* rstd,
        i64 rows, i64 channels, i64 groups, double eps) {
    __shared__ double scratch[32];
    i64 g = blockIdx.x;
    i64 n = rows * (channels / groups);
    double sum = 0;
    for (i64 e = threadIdx.x; e < n; e += blockDim.x) {
        sum += (double) x[element(g, e, rows, channels, groups)];
    }
    double m = block_sum(sum, scratch) / n;
    double squares = 0;
    for (i64 e = threadIdx.x; e < n; e += blockDim.x) {
        double d = x[element(g, e, rows, channels, groups)] - m;
        squares += d * d;
    }
    double r = 1 / sqrt(block_sum(squares, scratch) / n + eps);
    if (threadIdx.x == 0) {
        mean[g] = (float) m;
        rstd[g] = (float) r;
    }
    for (i64 e = threadIdx.x; e < n; e += blockDim.x) {
        i64 i = element(g, e, rows, channels, groups);
        i64 c = channel(g, e, channels, groups);
        float z = gamma[c] * ((x[i] - (float) m) * (float) r) + beta[c];
        y[i] = SILU ? z * sigmoid(z) : z;
    }
}

extern "C" __global__ void norm_fwd_f32(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* rstd,
        i64 rows, i64 channels, i64 groups, double eps) {
    norm_fwd<false>(x, gamma, beta, y, mean, rstd, rows, channels, groups, eps);
}

extern "C" __global__ void norm_silu_fwd_f32(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* rstd,
        i64 rows, i64 channels, i64 groups, double eps) {
    norm_fwd<true>(x, gamma, beta, y, mean, rstd, rows, channels, groups, eps);
}

// dx may be dy: every thread writes only what it alone reads after the sums.
extern "C" __global__ void norm_bwd_f32(const float* x, const float* gamma, const float* mean, const float* rstd, const float* dy, float* dx,
        i64 rows, i64 channels, i64 groups) {
    __shared__ double scratch[32];
    i64 g = blockIdx.x;
    i64 n = rows * (channels / groups);
    float m = mean[g];
    float r = rstd[g];
    double sum = 0;
    double dot = 0;
    for (i64 e = threadIdx.x; e < n; e += blockDim.x) {
        i64 i = element(g, e, rows, channels, groups);
        double d = (double) gamma[channel(g, e, channels, groups)] * dy[i];
        sum += d;
        dot += d * ((x[i] - m) * r);
    }
    double sum_mean = block_sum(sum, scratch) / n;
    double dot_mean = block_sum(dot, scratch) / n;
    for (i64 e = threadIdx.x; e < n; e += blockDim.x) {
        i64 i = element(g, e, rows, channels, groups);
        double d = (double) gamma[channel(g, e, channels, groups)] * dy[i];
        dx[i] = (float) (r * (d - sum_mean - (double) ((x[i] - m) * r) * dot_mean));
    }
}

// dz = silu'(z) * dy with z the normalised value; dz may be dy.
extern "C" __global__ void norm_silu_bwd_f32(const float* x, const float* gamma, const float* beta, const float* mean, const float* rstd,
        const float* dy, float* dz, i64 n, i64 rows, i64 channels, i64 groups) {
    EACH(i, n) {
        i64 c = i % channels;
        i64 g = i / channels / rows * groups + c / (channels / groups);
        float z = gamma[c] * ((x[i] - mean[g]) * rstd[g]) + beta[c];
        float s = sigmoid(z);
        dz[i] = s * (1 + z * (1 - s)) * dy[i];
    }
}

// Gradients of gamma and beta: one block per channel.
extern "C" __global__ void norm_bwd_parameters_f32(const float* x, const float* mean, const float* rstd, const float* dy, float* dgamma, float* dbeta,
        i64 images, i64 rows, i64 channels, i64 groups) {
    __shared__ double scratch[32];
    i64 c = blockIdx.x;
    double dot = 0;
    double sum = 0;
    for (i64 row = threadIdx.x; row < images * rows; row += blockDim.x) {
        i64 g = row / rows * groups + c / (channels / groups);
        i64 i = row * channels + c;
        dot += (double) dy[i] * ((x[i] - mean[g]) * rstd[g]);
        sum += dy[i];
    }
    dot = block_sum(dot, scratch);
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) {
        dgamma[c] = (float) dot;
        dbeta[c] = (float) sum;
    }
}

// Softmax of rows of n; one block per row.
extern "C" __global__ void softmax_fwd_f32(const float* x, float* y, i64 n) {
    __shared__ float largest[32];
    __shared__ double scratch[32];
    x += blockIdx.x * n;
    y += blockIdx.x * n;
    float top = -INFINITY;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        top = fmaxf(top, x[i]);
    }
    top = warp_max(top);
    if ((threadIdx.x & 31) == 0) {
        largest[threadIdx.x >> 5] = top;
    }
    __syncthreads();
    for (int w = 0; w < blockDim.x >> 5; w++) {
        top = fmaxf(top, largest[w]);
    }
    double sum = 0;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        sum += (double) expf(x[i] - top);
    }
    float scale = (float) (1 / block_sum(sum, scratch));
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        y[i] = expf(x[i] - top) * scale;
    }
}

// dx = y * (dy - sum of y * dy) per row; dx may be dy.
extern "C" __global__ void softmax_bwd_f32(const float* y, const float* dy, float* dx, i64 n) {
    __shared__ double scratch[32];
    y += blockIdx.x * n;
    dy += blockIdx.x * n;
    dx += blockIdx.x * n;
    double dot = 0;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        dot += (double) y[i] * dy[i];
    }
    dot = block_sum(dot, scratch);
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
        dx[i] = (float) (y[i] * (dy[i] - dot));
    }
}

__device__ __forceinline__ float normal_cdf(float x) { return erfcf(x * -0.70710678f) / 2; }

// y = value * gelu(gate), [value, gate] the halves of a row of x; y has n elements, rows of `channels`.
extern "C" __global__ void geglu_fwd_f32(const float* x, float* y, i64 n, i64 channels) {
    EACH(i, n) {
        const float* row = x + i / channels * 2 * channels;
        float gate = row[channels + i % channels];
        y[i] = row[i % channels] * (gate * normal_cdf(gate));
    }
}

extern "C" __global__ void geglu_bwd_f32(const float* x, const float* dy, float* dx, i64 n, i64 channels) {
    EACH(i, n) {
        i64 at = i / channels * 2 * channels + i % channels;
        float gate = x[at + channels];
        float cdf = normal_cdf(gate);
        float value = x[at];
        dx[at] = dy[i] * (gate * cdf);
        dx[at + channels] = dy[i] * value * (cdf + gate * (expf(gate * gate / -2) * 0.39894228f));
    }
}
