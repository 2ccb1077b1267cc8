// Scaled dot-product attention over heads, forward and backward, float32 (16 bits: attention_mma.cuh, attention_512.cu); the score matrix exists only 32 entries at a time.
//
//   s = scale * q k^T (row n sees the keys that its image has, of them 0..n when causal), p = softmax(s), y = p v, lse = log(sum(exp(s))); online softmax (arXiv 2205.14135)
//   backward: delta = sum(dy * y), p = exp(s - lse), ds = scale * p * (dy v^T - delta), dq = ds k, dk = ds^T q, dv = p^T dy
//
// q, y, dy [B,N,C], k, v [B,M,C], lse, delta [B,A,N]; head a has channels a * d .. (a + 1) * d - 1. Grid: (rows / 4, heads, B), 128
// threads; each warp has one row of the result: lanes stand for 32 keys (queries) while scores are formed, for channels while results add up.
// WIDTH = channels of a head per lane. No shared memory. Accumulation: float32 in a fixed order: deterministic.
#include "attention.cuh"

#define WARPS 4
#define EVERYONE 0xFFFFFFFFu

struct Row {
    int at;     // which row of the result
    i64 q;      // offset of the head's channels in the first query row
    i64 k;      // likewise of keys
    i64 stat;   // offset of the head's statistics
    i64 stride; // channels of a whole row
};

__device__ __forceinline__ Row row_of(const Heads& h) {
    int head = blockIdx.y;
    i64 c = h.heads * h.d;
    return Row{(int) (blockIdx.x * WARPS + threadIdx.x / 32), blockIdx.z * h.n * c + head * h.d, blockIdx.z * h.m * c + head * h.d,
            (blockIdx.z * h.heads + head) * h.n, c};
}

__device__ __forceinline__ float dot(const float* a, const float* b, int d) {
    float sum = 0;
    for (int i = 0; i < d; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

// sum[j] += (lane's weight) * (the lane's row of x), over the `count` lanes; lane l adds up channels l, l + 32, ...
template <int WIDTH> __device__ __forceinline__ void add_rows(float (&sum)[WIDTH], float weight, const float* x, i64 stride, int count, int d) {
    int lane = threadIdx.x & 31;
    for (int t = 0; t < count; t++) {
        float w = __shfl_sync(EVERYONE, weight, t);
#pragma unroll
        for (int j = 0; j < WIDTH; j++) {
            if (j * 32 + lane < d) {
                sum[j] += w * x[t * stride + j * 32 + lane];
            }
        }
    }
}

template <int WIDTH> __device__ __forceinline__ void put(float* row, const float (&sum)[WIDTH], float scale, int d) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int j = 0; j < WIDTH; j++) {
        if (j * 32 + lane < d) {
            row[j * 32 + lane] = sum[j] * scale;
        }
    }
}

template <int WIDTH> __device__ __forceinline__ void forward(const float* q, const float* k, const float* v, float* y, float* lse, const Heads& all, float scale) {
    Row r = row_of(all);
    Heads h = of_image(all);
    if (r.at >= h.n) {
        return;
    }
    int lane = threadIdx.x & 31;
    int keys = (int) visible(h, r.at);
    const float* query = q + r.q + r.at * r.stride;
    float top = -INFINITY;
    float total = 0;
    float sum[WIDTH] = {};
    for (int first = 0; first < keys; first += 32) {
        int count = min(32, keys - first);
        float s = lane < count ? scale * dot(query, k + r.k + (first + lane) * r.stride, h.d) : -INFINITY;
        float larger = fmaxf(top, warp_max(s));
        float shrink = expf(top - larger);
        float p = expf(s - larger);
        top = larger;
        total = total * shrink + warp_sum(p);
#pragma unroll
        for (int j = 0; j < WIDTH; j++) {
            sum[j] *= shrink;
        }
        add_rows(sum, p, v + r.k + first * r.stride, r.stride, count, h.d);
    }
    put(y + r.q + r.at * r.stride, sum, keys > 0 ? 1 / total : 0, h.d);
    if (lane == 0) {
        lse[r.stat + r.at] = keys > 0 ? top + logf(total) : 0;
    }
}

// Weight of a score's gradient. A row that sees one key has p = 1 whatever its score: exactly no gradient.
__device__ __forceinline__ float score_gradient(const Heads& h, int n, float p, float dp, float delta, float scale) {
    return sees_one(h, n) ? 0 : scale * (p * (dp - delta));
}

template <int WIDTH> __device__ __forceinline__ void backward_q(const float* q, const float* k, const float* v, const float* lse, const float* delta,
        const float* dy, float* dq, const Heads& all, float scale) {
    Row r = row_of(all);
    Heads h = of_image(all);
    if (r.at >= h.n) {
        return;
    }
    int lane = threadIdx.x & 31;
    int keys = (int) visible(h, r.at);
    i64 query = r.q + r.at * r.stride;
    float sum[WIDTH] = {};
    for (int first = 0; first < keys; first += 32) {
        int count = min(32, keys - first);
        float ds = 0;
        if (lane < count) {
            i64 key = r.k + (first + lane) * r.stride;
            float p = expf(scale * dot(q + query, k + key, h.d) - lse[r.stat + r.at]);
            ds = score_gradient(h, r.at, p, dot(dy + query, v + key, h.d), delta[r.stat + r.at], scale);
        }
        __syncwarp();
        add_rows(sum, ds, k + r.k + first * r.stride, r.stride, count, h.d);
    }
    put(dq + query, sum, 1, h.d);
}

template <int WIDTH> __device__ __forceinline__ void backward_kv(const float* q, const float* k, const float* v, const float* lse, const float* delta,
        const float* dy, float* dk, float* dv, const Heads& all, float scale) {
    Row r = row_of(all);
    Heads h = of_image(all);
    if (r.at >= all.m) {
        return;
    }
    int lane = threadIdx.x & 31;
    i64 key = r.k + r.at * r.stride;
    float dk_sum[WIDTH] = {};
    float dv_sum[WIDTH] = {};
    int queries = r.at < h.m ? (int) h.n : 0;   // none sees a key that the image does not have
    for (int first = h.causal ? r.at : 0; first < queries; first += 32) {
        int count = min(32, queries - first);
        float p = 0;
        float ds = 0;
        if (lane < count) {
            int n = first + lane;
            i64 query = r.q + n * r.stride;
            p = expf(scale * dot(q + query, k + key, h.d) - lse[r.stat + n]);
            ds = score_gradient(h, n, p, dot(dy + query, v + key, h.d), delta[r.stat + n], scale);
        }
        __syncwarp();
        add_rows(dv_sum, p, dy + r.q + first * r.stride, r.stride, count, h.d);
        add_rows(dk_sum, ds, q + r.q + first * r.stride, r.stride, count, h.d);
    }
    put(dk + key, dk_sum, 1, h.d);
    put(dv + key, dv_sum, 1, h.d);
}

template <typename T> __device__ __forceinline__ void sum_of_products(const T* y, const T* dy, float* delta, const Heads& h) {
    Row r = row_of(h);
    if (r.at >= h.n) {
        return;
    }
    i64 query = r.q + r.at * r.stride;
    float sum = 0;
    for (int i = threadIdx.x & 31; i < h.d; i += 32) {
        sum += to_float(dy[query + i]) * to_float(y[query + i]);
    }
    sum = warp_sum(sum);
    if ((threadIdx.x & 31) == 0) {
        delta[r.stat + r.at] = sum;
    }
}

extern "C" __global__ void attention_delta_f32(const float* y, const float* dy, float* delta, Heads h) { sum_of_products(y, dy, delta, h); }
extern "C" __global__ void attention_delta_bf16(const bf16* y, const bf16* dy, float* delta, Heads h) { sum_of_products(y, dy, delta, h); }
extern "C" __global__ void attention_delta_f16(const f16* y, const f16* dy, float* delta, Heads h) { sum_of_products(y, dy, delta, h); }

#define ENTRIES(WIDTH) \
    extern "C" __global__ void attention_fwd_##WIDTH##_f32(const float* q, const float* k, const float* v, float* y, float* lse, Heads h, float scale) { \
        forward<WIDTH>(q, k, v, y, lse, h, scale); \
    } \
    extern "C" __global__ void attention_bwd_q_##WIDTH##_f32(const float* q, const float* k, const float* v, const float* lse, const float* delta, \
            const float* dy, float* dq, Heads h, float scale) { \
        backward_q<WIDTH>(q, k, v, lse, delta, dy, dq, h, scale); \
    } \
    extern "C" __global__ void attention_bwd_kv_##WIDTH##_f32(const float* q, const float* k, const float* v, const float* lse, const float* delta, \
            const float* dy, float* dk, float* dv, Heads h, float scale) { \
        backward_kv<WIDTH>(q, k, v, lse, delta, dy, dk, dv, h, scale); \
    }
ENTRIES(2)
ENTRIES(5)
ENTRIES(16)
