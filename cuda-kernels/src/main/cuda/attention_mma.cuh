// Attention for heads of up to WIDTH channels, bf16 or f16, on tensor cores; the score matrix exists only a tile at a time, in registers.
//
//   s = scale * q k^T (row n sees the keys that its image has, of them 0..n when causal), p = softmax(s), y = p v, lse = log(sum(exp(s))); online softmax (arXiv 2205.14135)
//   backward: delta = sum(dy * y), p = exp(s - lse), ds = p * (dy v^T - delta), dq = scale * ds k, dk = scale * ds^T q, dv = p^T dy
//
// Tensors as in attention.cu. Grid: (rows of the result / rows of a block, heads, B); a warp has 16 rows of the result (or 16 * BLOCKS), which
// stay, and meets the tiles of the other side in order. Weights and their gradients are rounded to 16 bits before they are multiplied; all sums
// float32. The backward pass forms scores twice, once for dq by rows of queries and once for dk and dv by rows of keys: no atomics,
// deterministic. Shared memory: tiles of WIDTH + 8 channels, at most 48 KiB, zero beyond the head's channels.
#pragma once
#include "attention.cuh"

// BLOCKS: how many times 16 rows a warp has.
template <int WIDTH, int BLOCKS, int KEYS, typename T> __device__ __forceinline__ void forward(const T* q, const T* k, const T* v, T* y, float* lse, const Heads& all, float scale) {
    const int WARPS = 4;
    const int ROWS = WARPS * 16 * BLOCKS;
    const int TILES = KEYS / 8;
    __shared__ __align__(16) T shared[(ROWS + 2 * KEYS) * (WIDTH + 8)];
    Tile<T, WIDTH> queries = {shared};
    Tile<T, WIDTH> keys = {shared + ROWS * (WIDTH + 8)};
    Tile<T, WIDTH> values = {keys.at + KEYS * (WIDTH + 8)};
    Head head(all);
    Heads h = of_image(all);
    i64 first = blockIdx.x * (i64) ROWS;
    int warp_row = threadIdx.x / 32 * 16 * BLOCKS;
    i64 row = first + warp_row + threadIdx.x % 32 / 4;
    i64 seen = visible(h, first + ROWS - 1);

    float sum[BLOCKS][WIDTH / 8][4] = {};
    Softmax softmax[BLOCKS][2];
    load_rows<ROWS, WIDTH, WARPS * 32>(queries, q + head.query, first, h.n, h);
    load_rows<KEYS, WIDTH, WARPS * 32>(keys, k + head.key, 0, h.m, h);
    commit_copies();
#pragma unroll 1
    for (i64 m = 0; m < seen; m += KEYS) {
        load_rows<KEYS, WIDTH, WARPS * 32>(values, v + head.key, m, h.m, h);
        commit_copies();
        wait_copies<1>();
        __syncthreads();
        float s[BLOCKS][TILES][4] = {};
#pragma unroll
        for (int c = 0; c < WIDTH; c += 16) {
            unsigned a[BLOCKS][4];
#pragma unroll
            for (int block = 0; block < BLOCKS; block++) {
                queries.left(a[block], warp_row + block * 16, c);
            }
#pragma unroll
            for (int t = 0; t < TILES; t += 2) {
                unsigned b[4];
                keys.right(b, t * 8, c);
#pragma unroll
                for (int block = 0; block < BLOCKS; block++) {
                    mma<T>(s[block][t], a[block], b[0], b[1]);
                    mma<T>(s[block][t + 1], a[block], b[2], b[3]);
                }
            }
        }
        __syncthreads();
        if (m + KEYS < seen) {
            load_rows<KEYS, WIDTH, WARPS * 32>(keys, k + head.key, m + KEYS, h.m, h);
        }
        commit_copies();
#pragma unroll
        for (int block = 0; block < BLOCKS; block++) {
            if (m + KEYS > visible(h, first)) {
                i64 n = row + block * 16;
                int lane_key = (int) m + threadIdx.x % 4 * 2;
                hide_from(s[block], (int) visible(h, n) - lane_key, (int) visible(h, n + 8) - lane_key);
            }
            float low = softmax[block][0].add(s[block], 0, scale * LOG2_E);
            float high = softmax[block][1].add(s[block], 2, scale * LOG2_E);
#pragma unroll
            for (int t = 0; t < WIDTH / 8; t++) {
                sum[block][t][0] *= low;
                sum[block][t][1] *= low;
                sum[block][t][2] *= high;
                sum[block][t][3] *= high;
            }
        }
        wait_copies<1>();
        __syncthreads();
#pragma unroll
        for (int t = 0; t < TILES; t += 2) {
            unsigned a[BLOCKS][4];
#pragma unroll
            for (int block = 0; block < BLOCKS; block++) {
                as_left<T>(a[block], s[block][t], s[block][t + 1]);
            }
#pragma unroll
            for (int c = 0; c < WIDTH / 8; c += 2) {
                unsigned b[4];
                values.right_transposed(b, t * 8, c * 8);
#pragma unroll
                for (int block = 0; block < BLOCKS; block++) {
                    mma<T>(sum[block][c], a[block], b[0], b[1]);
                    mma<T>(sum[block][c + 1], a[block], b[2], b[3]);
                }
            }
        }
        __syncthreads();
    }
    wait_copies<0>();
    __syncthreads();
#pragma unroll
    for (int block = 0; block < BLOCKS; block++) {
        softmax[block][0].close();
        softmax[block][1].close();
        i64 n = row + block * 16;
        put_tile(queries, warp_row + block * 16, sum[block], softmax[block][0].one_by_total(), softmax[block][1].one_by_total(), 0);
        if (threadIdx.x % 4 == 0 && n < h.n) {
            lse[head.stat + n] = softmax[block][0].log_sum_exp();
        }
        if (threadIdx.x % 4 == 0 && n + 8 < h.n) {
            lse[head.stat + n + 8] = softmax[block][1].log_sum_exp();
        }
    }
    __syncthreads();
    store_rows<ROWS, WIDTH, WARPS * 32>(y + head.query, queries, first, h.n, h);
}

// p (into s) and ds (into dp) of a tile, from scores s and dp = dy v^T. `stat` gives log-sum-exp and delta of entry e of tile t.
template <int TILES, typename Stat> __device__ __forceinline__ void differentiate(float (&s)[TILES][4], float (&dp)[TILES][4], float factor, Stat stat) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            float2 of = stat(t, e);
            s[t][e] = exp2_fast(s[t][e] * factor - of.x * LOG2_E);
            dp[t][e] = s[t][e] * (dp[t][e] - of.y);
        }
    }
}

// Rows that see a single key have weight 1 whatever their scores are: with dp = delta, exactly no gradient.
template <int TILES, typename Stat, typename Single> __device__ __forceinline__ void without_gradient(float (&dp)[TILES][4], Stat stat, Single single) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            dp[t][e] = single(t, e) ? stat(t, e).y : dp[t][e];
        }
    }
}

// dq by rows of queries, or dk and dv by rows of keys. The rows' own operands: q and dy, or k and v; what comes by in tiles: k and v, or q and dy.
template <bool OF_KEYS, int WIDTH, int WARPS, int TILE, int STAGES, typename T> __device__ __forceinline__ void backward(const T* own, const T* own2,
        const T* other, const T* other2, const float* lse, const float* delta, T* result, T* result2, const Heads& all, float scale) {
    const int ROWS = WARPS * 16;
    const int THREADS = WARPS * 32;
    const int TILES = TILE / 8;
    const int SIZE = WIDTH + 8;
    __shared__ __align__(16) T shared[(2 * ROWS + 2 * STAGES * TILE) * SIZE];
    const int STATS = TILE < 32 ? 32 : TILE;   // by whole warps
    __shared__ float stats[OF_KEYS ? STAGES : 1][2][OF_KEYS ? STATS : 1];
    Tile<T, WIDTH> a1 = {shared};
    Tile<T, WIDTH> a2 = {shared + ROWS * SIZE};
    T* tiles = shared + 2 * ROWS * SIZE;
    Head head(all);
    Heads h = of_image(all);
    i64 rows = OF_KEYS ? h.m : h.n;
    i64 columns = OF_KEYS ? h.n : h.m;
    i64 own_at = OF_KEYS ? head.key : head.query;
    i64 other_at = OF_KEYS ? head.query : head.key;
    i64 first = blockIdx.x * (i64) ROWS;
    int warp_row = threadIdx.x / 32 * 16;
    i64 row = first + warp_row + threadIdx.x % 32 / 4;
    i64 from = OF_KEYS && h.causal ? first / TILE * TILE : 0;
    i64 to = OF_KEYS ? h.n : visible(h, first + ROWS - 1);

    // of this lane's two rows
    float2 row_stats[2] = {};
    if (!OF_KEYS) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            if (row + half * 8 < h.n) {
                row_stats[half] = make_float2(lse[head.stat + row + half * 8], delta[head.stat + row + half * 8]);
            }
        }
    }
    auto load = [&](i64 column, int stage) {
        load_rows<TILE, WIDTH, THREADS>(Tile<T, WIDTH>{tiles + 2 * stage * TILE * SIZE}, other + other_at, column, columns, h);
        load_rows<TILE, WIDTH, THREADS>(Tile<T, WIDTH>{tiles + (2 * stage + 1) * TILE * SIZE}, other2 + other_at, column, columns, h);
        if (OF_KEYS && threadIdx.x < STATS) {
            bool valid = column + threadIdx.x < h.n;
            i64 at = valid ? head.stat + column + threadIdx.x : head.stat;
            copy4(&stats[stage][0][threadIdx.x], lse + at, valid ? 4 : 0);
            copy4(&stats[stage][1][threadIdx.x], delta + at, valid ? 4 : 0);
        }
        commit_copies();
    };

    float sum[WIDTH / 8][4] = {};
    float sum2[OF_KEYS ? WIDTH / 8 : 1][4] = {};
    load_rows<ROWS, WIDTH, THREADS>(a1, own + own_at, first, rows, h);
    load_rows<ROWS, WIDTH, THREADS>(a2, own2 + own_at, first, rows, h);
    load(from, 0);
    int stage = 0;
#pragma unroll 1
    for (i64 column = from; column < to; column += TILE) {
        if (STAGES == 2 && column + TILE < to) {
            load(column + TILE, 1 - stage);
            wait_copies<1>();
        } else {
            wait_copies<0>();
        }
        __syncthreads();
        Tile<T, WIDTH> b1 = {tiles + 2 * stage * TILE * SIZE};
        Tile<T, WIDTH> b2 = {b1.at + TILE * SIZE};
        float s[TILES][4] = {};
        float dp[TILES][4] = {};
#pragma unroll
        for (int c = 0; c < WIDTH; c += 16) {
            unsigned a[4];
            unsigned da[4];
            a1.left(a, warp_row, c);
            a2.left(da, warp_row, c);
#pragma unroll
            for (int t = 0; t < TILES; t += 2) {
                unsigned b[4];
                b1.right(b, t * 8, c);
                mma<T>(s[t], a, b[0], b[1]);
                mma<T>(s[t + 1], a, b[2], b[3]);
                b2.right(b, t * 8, c);
                mma<T>(dp[t], da, b[0], b[1]);
                mma<T>(dp[t + 1], da, b[2], b[3]);
            }
        }
        int lane_column = threadIdx.x % 4 * 2;
        auto stat = [&](int t, int e) {
            int c = lane_column + t * 8 + e % 2;
            return OF_KEYS ? make_float2(stats[stage][0][c], stats[stage][1][c]) : row_stats[e / 2];
        };
        // columns that see one key, or rows that do; what is hidden
        if (OF_KEYS && (h.m == 1 || (h.causal && column < first + ROWS))) {
            int before = (int) (row - column) - lane_column;
            without_gradient(dp, stat, [&](int t, int e) { return sees_one(h, column + lane_column + t * 8 + e % 2); });
            if (h.causal) {
                hide_before(s, before, before + 8);
            }
        } else if (!OF_KEYS && column + TILE > visible(h, first)) {
            without_gradient(dp, stat, [&](int t, int e) { return sees_one(h, row + e / 2 * 8); });
            hide_from(s, (int) (visible(h, row) - column) - lane_column, (int) (visible(h, row + 8) - column) - lane_column);
        }
        differentiate(s, dp, scale * LOG2_E, stat);
#pragma unroll
        for (int t = 0; t < TILES; t += 2) {
            unsigned a[4];
            unsigned p[4];
            as_left<T>(a, dp[t], dp[t + 1]);
            as_left<T>(p, s[t], s[t + 1]);
#pragma unroll
            for (int c = 0; c < WIDTH / 8; c += 2) {
                unsigned b[4];
                b1.right_transposed(b, t * 8, c * 8);
                mma<T>(sum[c], a, b[0], b[1]);
                mma<T>(sum[c + 1], a, b[2], b[3]);
                if (OF_KEYS) {
                    b2.right_transposed(b, t * 8, c * 8);
                    mma<T>(sum2[c], p, b[0], b[1]);
                    mma<T>(sum2[c + 1], p, b[2], b[3]);
                }
            }
        }
        __syncthreads();
        if (STAGES == 1 && column + TILE < to) {
            load(column + TILE, 0);
        }
        stage = STAGES == 2 ? 1 - stage : 0;
    }
    wait_copies<0>();
    __syncthreads();
    put_tile(a1, warp_row, sum, scale, scale, 0);
    if (OF_KEYS) {
        put_tile(a2, warp_row, sum2, 1, 1, 0);
    }
    __syncthreads();
    store_rows<ROWS, WIDTH, THREADS>(result + own_at, a1, first, rows, h);
    if (OF_KEYS) {
        store_rows<ROWS, WIDTH, THREADS>(result2 + own_at, a2, first, rows, h);
        zero_rows<ROWS, THREADS>(result + own_at, first, rows, all.m, all);
        zero_rows<ROWS, THREADS>(result2 + own_at, first, rows, all.m, all);
    }
}

#define ATTENTION_OF(T, WIDTH, BLOCKS, KEYS, WARPS, TILE, TILE_KV, STAGES) \
    extern "C" __global__ void __launch_bounds__(128) attention_fwd_##WIDTH##_##T(const T* q, const T* k, const T* v, T* y, float* lse, Heads h, float scale) { \
        forward<WIDTH, BLOCKS, KEYS>(q, k, v, y, lse, h, scale); \
    } \
    extern "C" __global__ void __launch_bounds__(WARPS * 32) attention_bwd_q_##WIDTH##_##T(const T* q, const T* k, const T* v, const float* lse, const float* delta, \
            const T* dy, T* dq, Heads h, float scale) { \
        backward<false, WIDTH, WARPS, TILE, STAGES>(q, dy, k, v, lse, delta, dq, (T*) nullptr, h, scale); \
    } \
    extern "C" __global__ void __launch_bounds__(WARPS * 32) attention_bwd_kv_##WIDTH##_##T(const T* q, const T* k, const T* v, const float* lse, const float* delta, \
            const T* dy, T* dk, T* dv, Heads h, float scale) { \
        backward<true, WIDTH, WARPS, TILE_KV, STAGES>(k, v, q, dy, lse, delta, dk, dv, h, scale); \
    }
#define ATTENTION(WIDTH, BLOCKS, KEYS, WARPS, TILE, TILE_KV, STAGES) \
    ATTENTION_OF(bf16, WIDTH, BLOCKS, KEYS, WARPS, TILE, TILE_KV, STAGES) \
    ATTENTION_OF(f16, WIDTH, BLOCKS, KEYS, WARPS, TILE, TILE_KV, STAGES)
