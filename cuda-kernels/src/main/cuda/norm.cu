// Group normalisation, alone or with SiLU behind it, on images [B,rows,C] of any activation type; gamma, beta and statistics float32.
//
//   y = gamma * (x - mean) * rstd + beta, rstd = 1 / sqrt(var + eps), var the biased variance; y = silu(that)
//   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)) with g = gamma * dy (* silu'), xhat = (x - mean) * rstd
//
// A group is `width` neighbouring channels of all rows of an image. Grid: (chunks of rows, groups, images), 256 threads. One chunk: sums and
// results in one launch, the second reading of x from the cache. More: a launch for each chunk's two sums, and one that adds them up, in order.
// Gradients of gamma and beta: a block of 32 x 32 threads per 32 channels. Shared memory: 512 bytes, 8 KiB. V neighbouring channels are read
// at once. Sums: float32 per thread, float64 over threads, in a fixed order: deterministic.
#include "norm.cuh"

// chunk: rows of a block; phase: 0 sums and results, 1 sums only, 2 results from the chunks' sums
struct Groups {
    i64 rows, channels, groups, width, chunk, phase;
};

// The block's part of a group.
struct Part {
    i64 at;      // its first element
    i64 stat;    // the group
    int rows;
    int channel; // its first channel

    __device__ __forceinline__ explicit Part(const Groups& g) {
        i64 first = blockIdx.x * g.chunk;
        channel = (int) (blockIdx.y * g.width);
        at = (blockIdx.z * g.rows + first) * g.channels + channel;
        stat = blockIdx.z * g.groups + blockIdx.y;
        rows = (int) min(g.chunk, g.rows - first);
    }
};

__device__ __forceinline__ double group_size(const Groups& g) { return (double) g.rows * (double) g.width; }

// Visits the units of a part; AT is a unit's first element, CHANNEL its first channel.
#define EACH_UNIT(p, g) _Pragma("unroll 1") for (Share s(threadIdx.x, blockDim.x, (int) g.width / V); s.row < p.rows; s.next())
#define AT (p.at + s.row * g.channels + s.unit * V)
#define CHANNEL (p.channel + s.unit * V)

// The sums over all chunks of a group.
__device__ __forceinline__ Sums over_chunks(const Sums* partial, i64 group) {
    Sums s = {0, 0};
    partial += group * gridDim.x;
#pragma unroll 1
    for (int i = 0; i < gridDim.x; i++) {
        s.a += partial[i].a;
        s.b += partial[i].b;
    }
    return s;
}

template <int V, typename T> __device__ __forceinline__ Sums moments(const T* x, const Part& p, const Groups& g) {
    Moments m;
    EACH_UNIT(p, g) {
        float v[V];
        load(v, x + AT);
#pragma unroll
        for (int i = 0; i < V; i++) {
            m.add(v[i]);
        }
    }
    m.close();
    return over_block(m.sum, m.squares);
}

template <bool SILU, int V, typename T> __device__ __forceinline__ void normalise(const T* x, const float* gamma, const float* beta, T* y,
        float* mean, float* rstd, Sums sums, double eps, const Part& p, const Groups& g) {
    Statistics st = statistics(sums.a, sums.b, group_size(g), eps);
    if (threadIdx.x == 0 && blockIdx.x == 0) {
        mean[p.stat] = st.mean;
        rstd[p.stat] = st.rstd;
    }
    EACH_UNIT(p, g) {
        i64 at = AT;
        int c = CHANNEL;
        float v[V];
        load(v, x + at);
#pragma unroll
        for (int i = 0; i < V; i++) {
            float z = gamma[c + i] * ((v[i] - st.mean) * st.rstd) + beta[c + i];
            v[i] = SILU ? z * sigmoid(z) : z;
        }
        store(y + at, v);
    }
}

// Sums of g and of g * xhat.
template <bool SILU, int V, typename T> __device__ __forceinline__ Sums gradient_sums(const T* x, const float* gamma, const float* beta,
        Statistics st, const T* dy, const Part& p, const Groups& g) {
    float sum = 0;
    float dot = 0;
    EACH_UNIT(p, g) {
        i64 at = AT;
        int c = CHANNEL;
        float v[V];
        float d[V];
        load(v, x + at);
        load(d, dy + at);
#pragma unroll
        for (int i = 0; i < V; i++) {
            float xhat = (v[i] - st.mean) * st.rstd;
            float inner = inner_gradient<SILU>(xhat, d[i], gamma[c + i], SILU ? beta[c + i] : 0);
            sum += inner;
            dot += inner * xhat;
        }
    }
    return over_block(sum, dot);
}

// dx may be dy: every thread writes only what it alone reads after the sums.
template <bool SILU, int V, typename T> __device__ __forceinline__ void differentiate(const T* x, const float* gamma, const float* beta,
        Statistics st, const T* dy, T* dx, Sums sums, const Part& p, const Groups& g) {
    float mean_g = (float) (sums.a / group_size(g));
    float mean_dot = (float) (sums.b / group_size(g));
    EACH_UNIT(p, g) {
        i64 at = AT;
        int c = CHANNEL;
        float v[V];
        float d[V];
        load(v, x + at);
        load(d, dy + at);
#pragma unroll
        for (int i = 0; i < V; i++) {
            float xhat = (v[i] - st.mean) * st.rstd;
            float inner = inner_gradient<SILU>(xhat, d[i], gamma[c + i], SILU ? beta[c + i] : 0);
            v[i] = st.rstd * (inner - mean_g - xhat * mean_dot);
        }
        store(dx + at, v);
    }
}

// dz = silu'(z) * dy with z the normalised value; dz may be dy.
template <typename T> __device__ __forceinline__ void silu_bwd(const T* x, const float* gamma, const float* beta, const float* mean, const float* rstd,
        const T* dy, T* dz, i64 n, const Groups& g) {
    EACH(i, n) {
        i64 c = i % g.channels;
        i64 group = i / g.channels / g.rows * g.groups + c / g.width;
        float z = gamma[c] * ((to_float(x[i]) - mean[group]) * rstd[group]) + beta[c];
        float s = sigmoid(z);
        dz[i] = from_float<T>(s * (1 + z * (1 - s)) * to_float(dy[i]));
    }
}

#define COLUMNS 32

// Gradients of gamma and beta; threads (32 channels, 32 rows at a time).
template <typename T> __device__ __forceinline__ void parameters_bwd(const T* x, const float* mean, const float* rstd, const T* dy, float* dgamma, float* dbeta,
        i64 images, const Groups& g) {
    __shared__ float dots[COLUMNS][COLUMNS];
    __shared__ float sums[COLUMNS][COLUMNS];
    i64 c = blockIdx.x * (i64) COLUMNS + threadIdx.x;
    float dot = 0;
    float sum = 0;
    if (c < g.channels) {
        for (i64 row = threadIdx.y; row < images * g.rows; row += COLUMNS) {
            i64 group = row / g.rows * g.groups + c / g.width;
            float d = to_float(dy[row * g.channels + c]);
            dot += d * ((to_float(x[row * g.channels + c]) - mean[group]) * rstd[group]);
            sum += d;
        }
    }
    dots[threadIdx.y][threadIdx.x] = dot;
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && c < g.channels) {
        double all = 0;
        double all_dots = 0;
        for (int r = 0; r < COLUMNS; r++) {
            all += sums[r][threadIdx.x];
            all_dots += dots[r][threadIdx.x];
        }
        dgamma[c] = (float) all_dots;
        dbeta[c] = (float) all;
    }
}

// The block's sums, by `own` unless other blocks formed them; ends the kernel where sums are all it is for.
#define SUMS(own) \
    Sums sums = g.phase == 2 ? over_chunks(partial, p.stat) : own; \
    if (g.phase == 1) { \
        if (threadIdx.x == 0) { \
            partial[p.stat * gridDim.x + blockIdx.x] = sums; \
        } \
        return; \
    }

#define KERNELS(T, V, name, SILU) \
    extern "C" __global__ void group_norm_##name##fwd_##V##_##T(const T* x, const float* gamma, const float* beta, T* y, float* mean, float* rstd, \
            Groups g, Sums* partial, double eps) { \
        Part p(g); \
        SUMS(moments<V>(x, p, g)) \
        normalise<SILU, V>(x, gamma, beta, y, mean, rstd, sums, eps, p, g); \
    } \
    extern "C" __global__ void group_norm_##name##bwd_##V##_##T(const T* x, const float* gamma, const float* beta, const float* mean, const float* rstd, \
            const T* dy, T* dx, Groups g, Sums* partial) { \
        Part p(g); \
        Statistics st = {mean[p.stat], rstd[p.stat]}; \
        SUMS((gradient_sums<SILU, V>(x, gamma, beta, st, dy, p, g))) \
        differentiate<SILU, V>(x, gamma, beta, st, dy, dx, sums, p, g); \
    }

#define WIDTH(T, V) \
    KERNELS(T, V, , false) \
    KERNELS(T, V, silu_, true)

#define TYPE(T) \
    WIDTH(T, 1) \
    WIDTH(T, 2) \
    WIDTH(T, 4) \
    extern "C" __global__ void group_norm_silu_gradient_##T(const T* x, const float* gamma, const float* beta, const float* mean, const float* rstd, \
            const T* dy, T* dz, i64 n, Groups g) { \
        silu_bwd(x, gamma, beta, mean, rstd, dy, dz, n, g); \
    } \
    extern "C" __global__ void norm_bwd_parameters_##T(const T* x, const float* mean, const float* rstd, const T* dy, float* dgamma, float* dbeta, \
            i64 images, Groups g) { \
        parameters_bwd(x, mean, rstd, dy, dgamma, dbeta, images, g); \
    }
TYPE(f32)
TYPE(f16)
TYPE(bf16)
