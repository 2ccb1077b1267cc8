// Attention for heads of 161 to 512 channels, bf16 or f16, on tensor cores: the head's width is split over four warps.
//
// Formulas as in attention_mma.cuh. Grid: (rows of the result / 32, heads, B), 256 threads: two groups of 16 rows, four warps each. A warp holds
// a quarter of the channels (128) of its rows' operands and of their results in registers. It forms its quarter's part of the scores; the parts
// of the four meet in shared memory and every warp adds them up in the same order. dq, dk and dv are a launch each. Weights are rounded to
// 16 bits before they are multiplied, sums are float32: deterministic. Dynamic shared memory: two tiles of 32 rows (65 KiB), and the parts of
// the scores, 16 KiB for each of the two products.
#include "attention.cuh"

#define WIDTH 512
#define ROWS 32
#define THREADS 256
#define QUARTER (WIDTH / 4)
#define TILE 32
#define TILES (TILE / 8)
#define SIZE (WIDTH + 8)
#define LANES 32

template <typename T> struct Warp {
    Tile<T, WIDTH> first, second;  // tiles of the other side
    float* parts;                  // of the scores of both products
    int group, quarter, row, channel;

    __device__ __forceinline__ explicit Warp(unsigned char* shared) {
        first.at = (T*) shared;
        second.at = first.at + TILE * SIZE;
        parts = (float*) (second.at + TILE * SIZE);
        group = threadIdx.x / (4 * LANES);
        quarter = threadIdx.x / LANES % 4;
        row = group * 16;
        channel = quarter * QUARTER;
    }

    // This warp's channels of its rows, which are in a tile.
    __device__ __forceinline__ void own(unsigned (&a)[QUARTER / 16][4], const Tile<T, WIDTH>& rows) const {
#pragma unroll
        for (int c = 0; c < QUARTER / 16; c++) {
            rows.left(a[c], row, channel + c * 16);
        }
    }

    // Leaves this quarter's part of own * tile^T where the others find it.
    __device__ __forceinline__ void leave(const unsigned (&a)[QUARTER / 16][4], const Tile<T, WIDTH>& tile, int product) const {
        float s[TILES][4] = {};
#pragma unroll
        for (int c = 0; c < QUARTER / 16; c++) {
#pragma unroll
            for (int t = 0; t < TILES; t += 2) {
                unsigned b[4];
                tile.right(b, t * 8, channel + c * 16);
                mma<T>(s[t], a[c], b[0], b[1]);
                mma<T>(s[t + 1], a[c], b[2], b[3]);
            }
        }
        float* part = at(product, quarter);
#pragma unroll
        for (int i = 0; i < TILES * 4; i++) {
            part[i * LANES] = s[i / 4][i % 4];
        }
    }

    // The sum of the four parts, after a barrier.
    __device__ __forceinline__ void collect(float (&s)[TILES][4], int product) const {
#pragma unroll
        for (int i = 0; i < TILES * 4; i++) {
            s[i / 4][i % 4] = (at(product, 0)[i * LANES] + at(product, 1)[i * LANES]) + (at(product, 2)[i * LANES] + at(product, 3)[i * LANES]);
        }
    }

    __device__ __forceinline__ float* at(int product, int part) const {
        return parts + (((product * 2 + group) * 4 + part) * TILES * 4) * LANES + threadIdx.x % LANES;
    }

    // sum += weights * this quarter of a tile.
    __device__ __forceinline__ void multiply(float (&sum)[QUARTER / 8][4], const float (&weights)[TILES][4], const Tile<T, WIDTH>& tile) const {
#pragma unroll
        for (int t = 0; t < TILES; t += 2) {
            unsigned a[4];
            as_left<T>(a, weights[t], weights[t + 1]);
#pragma unroll
            for (int c = 0; c < QUARTER / 8; c += 2) {
                unsigned b[4];
                tile.right_transposed(b, t * 8, channel + c * 8);
                mma<T>(sum[c], a, b[0], b[1]);
                mma<T>(sum[c + 1], a, b[2], b[3]);
            }
        }
    }
};

template <typename T> __device__ __forceinline__ void forward(const T* q, const T* k, const T* v, T* y, float* lse, const Heads& all, float scale) {
    extern __shared__ __align__(16) unsigned char shared[];
    Warp<T> warp(shared);
    Head head(all);
    Heads h = of_image(all);
    i64 first = blockIdx.x * (i64) ROWS;
    i64 row = first + warp.row + threadIdx.x % LANES / 4;
    i64 seen = visible(h, first + ROWS - 1);

    unsigned a[QUARTER / 16][4];
    load_rows<ROWS, WIDTH, THREADS>(warp.first, q + head.query, first, h.n, h);
    commit_copies();
    wait_copies<0>();
    __syncthreads();
    warp.own(a, warp.first);
    __syncthreads();
    float sum[QUARTER / 8][4] = {};
    Softmax softmax[2];
    load_rows<TILE, WIDTH, THREADS>(warp.first, k + head.key, 0, h.m, h);
    commit_copies();
#pragma unroll 1
    for (i64 m = 0; m < seen; m += TILE) {
        load_rows<TILE, WIDTH, THREADS>(warp.second, v + head.key, m, h.m, h);
        commit_copies();
        wait_copies<1>();
        __syncthreads();
        warp.leave(a, warp.first, 0);
        __syncthreads();
        if (m + TILE < seen) {
            load_rows<TILE, WIDTH, THREADS>(warp.first, k + head.key, m + TILE, h.m, h);
        }
        commit_copies();
        float s[TILES][4];
        warp.collect(s, 0);
        if (m + TILE > visible(h, first)) {
            int lane_key = (int) m + threadIdx.x % 4 * 2;
            hide_from(s, (int) visible(h, row) - lane_key, (int) visible(h, row + 8) - lane_key);
        }
        float low = softmax[0].add(s, 0, scale * LOG2_E);
        float high = softmax[1].add(s, 2, scale * LOG2_E);
#pragma unroll
        for (int t = 0; t < QUARTER / 8; t++) {
            sum[t][0] *= low;
            sum[t][1] *= low;
            sum[t][2] *= high;
            sum[t][3] *= high;
        }
        wait_copies<1>();
        __syncthreads();
        warp.multiply(sum, s, warp.second);
        __syncthreads();
    }
    wait_copies<0>();
    __syncthreads();
    softmax[0].close();
    softmax[1].close();
    put_tile(warp.first, warp.row, sum, softmax[0].one_by_total(), softmax[1].one_by_total(), warp.channel);
    if (warp.quarter == 0 && threadIdx.x % 4 == 0) {
        if (row < h.n) {
            lse[head.stat + row] = softmax[0].log_sum_exp();
        }
        if (row + 8 < h.n) {
            lse[head.stat + row + 8] = softmax[1].log_sum_exp();
        }
    }
    __syncthreads();
    store_rows<ROWS, WIDTH, THREADS>(y + head.query, warp.first, first, h.n, h);
}

enum Gradient { DQ, DK, DV };

// The rows' own operands: q and dy for dq, else k and v; what comes by in tiles: k and v, else q and dy.
template <Gradient OF, typename T> __device__ __forceinline__ void backward(const T* own, const T* own2, const T* other, const T* other2,
        const float* lse, const float* delta, T* result, const Heads& all, float scale) {
    extern __shared__ __align__(16) unsigned char shared[];
    const bool OF_KEYS = OF != DQ;
    Warp<T> warp(shared);
    Head head(all);
    Heads h = of_image(all);
    i64 rows = OF_KEYS ? h.m : h.n;
    i64 columns = OF_KEYS ? h.n : h.m;
    i64 own_at = OF_KEYS ? head.key : head.query;
    i64 other_at = OF_KEYS ? head.query : head.key;
    i64 first = blockIdx.x * (i64) ROWS;
    i64 row = first + warp.row + threadIdx.x % LANES / 4;
    i64 from = OF_KEYS && h.causal ? first / TILE * TILE : 0;
    i64 to = OF_KEYS ? h.n : visible(h, first + ROWS - 1);

    unsigned a[QUARTER / 16][4];
    unsigned da[QUARTER / 16][4];
    load_rows<ROWS, WIDTH, THREADS>(warp.first, own + own_at, first, rows, h);
    if (OF != DV) {
        load_rows<ROWS, WIDTH, THREADS>(warp.second, own2 + own_at, first, rows, h);
    }
    commit_copies();
    wait_copies<0>();
    __syncthreads();
    warp.own(a, warp.first);
    if (OF != DV) {
        warp.own(da, warp.second);
    }
    float sum[QUARTER / 8][4] = {};
#pragma unroll 1
    for (i64 column = from; column < to; column += TILE) {
        __syncthreads();
        load_rows<TILE, WIDTH, THREADS>(warp.first, other + other_at, column, columns, h);
        load_rows<TILE, WIDTH, THREADS>(warp.second, other2 + other_at, column, columns, h);
        commit_copies();
        wait_copies<0>();
        __syncthreads();
        warp.leave(a, warp.first, 0);
        if (OF != DV) {
            warp.leave(da, warp.second, 1);
        }
        __syncthreads();
        float s[TILES][4];
        float dp[TILES][4] = {};
        warp.collect(s, 0);
        if (OF != DV) {
            warp.collect(dp, 1);
        }
#pragma unroll
        for (int i = 0; i < TILES * 4; i++) {
            i64 r = row + i % 4 / 2 * 8;
            i64 c = column + threadIdx.x % 4 * 2 + i / 4 * 8 + i % 2;
            i64 n = OF_KEYS ? c : r;
            i64 m = OF_KEYS ? r : c;
            bool sees = n < h.n && m < h.m && (!h.causal || m <= n);
            float p = sees ? exp2_fast((s[i / 4][i % 4] * scale - lse[head.stat + n]) * LOG2_E) : 0;
            s[i / 4][i % 4] = OF == DV ? p : sees && !sees_one(h, n) ? p * (dp[i / 4][i % 4] - delta[head.stat + n]) : 0;
        }
        warp.multiply(sum, s, OF == DV ? warp.second : warp.first);
    }
    __syncthreads();
    put_tile(warp.first, warp.row, sum, OF == DV ? 1 : scale, OF == DV ? 1 : scale, warp.channel);
    __syncthreads();
    store_rows<ROWS, WIDTH, THREADS>(result + own_at, warp.first, first, rows, h);
    if (OF_KEYS) {
        zero_rows<ROWS, THREADS>(result + own_at, first, rows, all.m, all);
    }
}

#define ENTRIES(T) \
    extern "C" __global__ void __launch_bounds__(THREADS) attention_fwd_512_##T(const T* q, const T* k, const T* v, T* y, float* lse, Heads h, float scale) { \
        forward(q, k, v, y, lse, h, scale); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS) attention_bwd_q_512_##T(const T* q, const T* k, const T* v, const float* lse, const float* delta, \
            const T* dy, T* dq, Heads h, float scale) { \
        backward<DQ>(q, dy, k, v, lse, delta, dq, h, scale); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS) attention_bwd_k_512_##T(const T* q, const T* k, const T* v, const float* lse, const float* delta, \
            const T* dy, T* dk, Heads h, float scale) { \
        backward<DK>(k, v, q, dy, lse, delta, dk, h, scale); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS) attention_bwd_v_512_##T(const T* q, const T* k, const T* v, const float* lse, const float* delta, \
            const T* dy, T* dv, Heads h, float scale) { \
        backward<DV>(k, v, q, dy, lse, delta, dv, h, scale); \
    }
ENTRIES(bf16)
ENTRIES(f16)
