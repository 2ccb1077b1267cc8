// Attention's forward pass on the warpgroups of compute capability 9.0, for heads of up to WIDTH channels, bf16 or f16. Formulas as in attention_mma.cuh.
//
// Threads: 384. One thread has bulk copies bring the block's queries, and then tiles of 128 keys and of their values, by turns, into a ring of stages in
// shared memory, each with two mbarriers: `full`, whose phase ends when its tile has landed, and `empty`, when all warps that multiply have done with it.
// Two warpgroups have 64 queries each: scores come of operands in shared memory, stay in registers, and as weights, rounded to 16 bits, are the left operand of the
// product with the values. That product is under way while the softmax of the next tile is computed. Order of what is copied and used: K0, K1, V0, K2, V1 … Boxes have 64 channels of one head, zeros beyond its channels and beyond the last row. Grid: (queries / 128, heads, B).
// The scale must be positive, and all keys are seen but for a causal mask: padding is left to attention_mma.cuh. Sums are float32; deterministic.
#pragma once
#include "attention.cuh"
#include "warpgroup_registers.cuh"

#define GROUPS 2
#define GROUP_ROWS 64
#define GROUP_THREADS 128
#define KEYS 128
#define PIECE_CHANNELS 64
#define ROW_BYTES 128
#define STEP_K 16

// What a block holds in shared memory, all in pieces of 64 channels, swizzled: its queries, by warpgroup, and the ring.
template <int WIDTH, int STAGES> struct Room {
    static const int PIECES = (WIDTH + PIECE_CHANNELS - 1) / PIECE_CHANNELS;
    static const int QUERY_PIECE = GROUP_ROWS * ROW_BYTES, KEY_PIECE = KEYS * ROW_BYTES;
    static const int QUERIES = PIECES * QUERY_PIECE, TILE = PIECES * KEY_PIECE;
    static const int ALIGNMENT = 1024;
};

// Byte of 16 channels of a row among pieces.
__host__ __device__ constexpr int step_bytes(int step, int piece) { return step * STEP_K / PIECE_CHANNELS * piece + step * STEP_K % PIECE_CHANNELS * 2; }

// Tiles of the ring, counted from 0 in the order in which they are used.
template <int STAGES> struct Ring {
    unsigned tiles, full, empty;
    int bytes;

    __device__ __forceinline__ unsigned at(int i) const { return tiles + i % STAGES * bytes; }
    // Copies a tile, when its stage is empty: so many pieces of one tensor, then as many of another, in rows from `row` on.
    __device__ __forceinline__ void bring(int i, const TensorMap& first, const TensorMap& second, int row, int pieces, int piece_bytes, int all) const {
        unsigned barrier = full + i % STAGES * 8;
        // the phase before the first is complete
        wait(empty + i % STAGES * 8, i / STAGES & 1 ^ 1);
        arrive_and_expect(barrier, bytes);
#pragma unroll 1
        for (int p = 0; p < all; p++) {
            copy_box(at(i) + p * piece_bytes, p < pieces ? first : second, p % pieces * PIECE_CHANNELS, blockIdx.y, row, blockIdx.z, barrier);
        }
    }
    __device__ __forceinline__ void wait_for(int i) const { wait(full + i % STAGES * 8, i / STAGES & 1); }
    __device__ __forceinline__ void release(int i, bool used = true) const { arrive_once(empty + i % STAGES * 8, used); }
};

// Starts s = q k^T: a warpgroup's queries and a tile of keys.
template <int WIDTH, typename T> __device__ __forceinline__ void start_scores(float (&s)[KEYS / 8][4], unsigned queries, unsigned keys) {
    typedef Room<WIDTH, 1> R;
    unsigned long long left = matrix_descriptor(queries, 0);
    unsigned long long right = matrix_descriptor(keys, 0);
    float (&sums)[KEYS / 2] = reinterpret_cast<float (&)[KEYS / 2]>(s);
    begin_products();
    multiply<false, true, true>(sums, left, right, T());
#pragma unroll
    for (int step = 1; step < WIDTH / STEP_K; step++) {
        multiply<true, true, true>(sums, left + (step_bytes(step, R::QUERY_PIECE) >> 4), right + (step_bytes(step, R::KEY_PIECE) >> 4), T());
    }
    commit_products();
}

// Starts sum += weights * v: of a tile of values, or whatever has as many rows as there are weights in one.
template <typename T, int TILES, int STEPS> __device__ __forceinline__ void start_sums(float (&sum)[TILES][4], const unsigned (&weights)[STEPS][4], unsigned values) {
    unsigned long long right = matrix_descriptor(values, STEPS * STEP_K * ROW_BYTES);
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        multiply<T>(sum, weights[step], right + (step * STEP_K * ROW_BYTES >> 4));
    }
}

// As Softmax::add, for a positive factor: the largest score is found before any is multiplied.
__device__ __forceinline__ float add_scores(Softmax& row, float (&s)[KEYS / 8][4], int half, float factor) {
    float larger = -INFINITY;
#pragma unroll
    for (int t = 0; t < KEYS / 8; t++) {
        larger = fmaxf(larger, fmaxf(s[t][half], s[t][half + 1]));
    }
    larger = fmaxf(row.top, row_max(larger) * factor);
    float below = -larger;
    float shrink = exp2_fast(row.top - larger);
    float sum = 0;
#pragma unroll
    for (int t = 0; t < KEYS / 8; t++) {
        s[t][half] = exp2_fast(fmaf(s[t][half], factor, below));
        s[t][half + 1] = exp2_fast(fmaf(s[t][half + 1], factor, below));
        sum += s[t][half] + s[t][half + 1];
    }
    row.top = larger;
    row.total = row.total * shrink + sum;   // of this lane's keys
    return shrink;
}

template <typename T, int STEPS> __device__ __forceinline__ void round_weights(unsigned (&weights)[STEPS][4], const float (&s)[2 * STEPS][4]) {
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        as_left<T>(weights[step], s[2 * step], s[2 * step + 1]);
    }
}

// Stores this warp's 16 rows of a result, rounded, by way of where its queries were, so that accesses are long. `row`: the first one in the head.
template <int WIDTH, typename T> __device__ __forceinline__ void store_group(T* y, unsigned char* queries, const float (&sum)[WIDTH / 8][4], float low, float high, i64 row, i64 rows_of_head, const Heads& h) {
    const int UNITS = WIDTH / 8;
    int lane = threadIdx.x % 32;
    unsigned char* rows = queries + threadIdx.x % GROUP_THREADS / 32 * 16 * ROW_BYTES;
    unsigned char* to = rows + lane / 4 * ROW_BYTES + lane % 4 * 4;
#pragma unroll
    for (int t = 0; t < UNITS; t++) {
        unsigned char* at = to + t / 8 * Room<WIDTH, 1>::QUERY_PIECE + (t % 8 * 16 ^ lane / 4 * 16);
        *reinterpret_cast<unsigned*>(at) = packed<T>(sum[t][0] * low, sum[t][1] * low);
        *reinterpret_cast<unsigned*>(at + 8 * ROW_BYTES) = packed<T>(sum[t][2] * high, sum[t][3] * high);
    }
    __syncwarp();
    i64 stride = h.heads * h.d;
#pragma unroll 1
    for (int i = lane; i < 16 * UNITS; i += 32) {
        int r = i / UNITS;
        int unit = i % UNITS;
        if (row + r < rows_of_head && unit * 8 < h.d) {
            const unsigned char* from = rows + unit / 8 * Room<WIDTH, 1>::QUERY_PIECE + r * ROW_BYTES + (unit % 8 ^ r % 8) * 16;
            *reinterpret_cast<uint4*>(y + (row + r) * stride + unit * 8) = *reinterpret_cast<const uint4*>(from);
        }
    }
}

template <int WIDTH, int STAGES, typename T> __device__ __forceinline__ void forward(const TensorMap& q, const TensorMap& k, const TensorMap& v, T* y, float* lse, const Heads& h, float scale) {
    typedef Room<WIDTH, STAGES> R;
    extern __shared__ unsigned char dynamic[];
    __shared__ unsigned long long barriers[1 + 2 * STAGES];
    unsigned begin = shared_address(dynamic);
    unsigned queries = (begin + R::ALIGNMENT - 1) / R::ALIGNMENT * R::ALIGNMENT;
    unsigned landed = shared_address(barriers);
    Ring<STAGES> ring = {queries + GROUPS * R::QUERIES, landed + 8, landed + 8 + STAGES * 8, R::TILE};
    int first = blockIdx.x * GROUPS * GROUP_ROWS;
    int groups = h.n - first > GROUP_ROWS ? GROUPS : 1;
    int tiles = ((int) visible(h, first + groups * GROUP_ROWS - 1) + KEYS - 1) / KEYS;
    if (threadIdx.x == 0) {
        init_barrier(landed, 1);
#pragma unroll 1
        for (int i = 0; i < STAGES; i++) {
            init_barrier(ring.full + i * 8, 1);
            init_barrier(ring.empty + i * 8, groups * GROUP_THREADS / 32);
        }
        publish_barriers();
    }
    __syncthreads();
    if (threadIdx.x < GROUP_THREADS) {
        fewer_registers<24>();
        if (threadIdx.x < 32 && elected()) {
            arrive_and_expect(landed, groups * R::QUERIES);
#pragma unroll 1
            for (int i = 0; i < groups * R::PIECES; i++) {
                copy_box(queries + i * R::QUERY_PIECE, q, i % R::PIECES * PIECE_CHANNELS, blockIdx.y, first + i / R::PIECES * GROUP_ROWS, blockIdx.z, landed);
            }
#pragma unroll 1
            for (int i = 0; i < 2 * tiles; i++) {
                bool values = i == 2 * tiles - 1 || (i > 0 && i % 2 == 0);
                const TensorMap& map = values ? v : k;
                ring.bring(i, map, map, (values ? i - 1 : i + 1) / 2 * KEYS, R::PIECES, R::KEY_PIECE, R::PIECES);
            }
        }
        return;
    }
    more_registers<240>();
    int group = threadIdx.x / GROUP_THREADS - 1;
    if (group >= groups) {
        return;
    }
    unsigned own = queries + group * R::QUERIES;
    i64 group_row = first + group * GROUP_ROWS;
    i64 row = group_row + threadIdx.x % GROUP_THREADS / 32 * 16 + threadIdx.x % 32 / 4;
    Softmax low;
    Softmax high;
    float s[KEYS / 8][4];
    unsigned weights[KEYS / STEP_K][4];
    float sum[WIDTH / 8][4] = {};
    wait(landed, 0);
    ring.wait_for(0);
    start_scores<WIDTH, T>(s, own, ring.at(0));
    wait_for_products<0>();
    hold(s);
    ring.release(0);
    int t = 0;
#pragma unroll 1
    while (true) {
        i64 m = (i64) t * KEYS;
        if (m + KEYS > visible(h, group_row)) {
            int lane_key = (int) m + threadIdx.x % 4 * 2;
            hide_from(s, (int) visible(h, row) - lane_key, (int) visible(h, row + 8) - lane_key);
        }
        float shrink_low = add_scores(low, s, 0, scale * LOG2_E);
        float shrink_high = add_scores(high, s, 2, scale * LOG2_E);
        wait_for_products<0>();
        hold(sum);
        ring.release(2 * t, t > 0);
#pragma unroll
        for (int i = 0; i < WIDTH / 8; i++) {
            sum[i][0] *= shrink_low;
            sum[i][1] *= shrink_low;
            sum[i][2] *= shrink_high;
            sum[i][3] *= shrink_high;
        }
        round_weights<T>(weights, s);
        t++;
        if (t == tiles) {
            break;
        }
        ring.wait_for(2 * t - 1);
        start_scores<WIDTH, T>(s, own, ring.at(2 * t - 1));
        ring.wait_for(2 * t);
        hold(sum);
        hold(weights);
        begin_products();
        start_sums<T>(sum, weights, ring.at(2 * t));
        commit_products();
        wait_for_products<1>();
        hold(s);
        ring.release(2 * t - 1);
    }
    ring.wait_for(2 * tiles - 1);
    hold(sum);
    hold(weights);
    begin_products();
    start_sums<T>(sum, weights, ring.at(2 * tiles - 1));
    commit_products();
    low.close();
    high.close();
    wait_for_products<0>();
    hold(sum);
    Head head(h);
    if (threadIdx.x % 4 == 0 && row < h.n) {
        lse[head.stat + row] = low.log_sum_exp();
    }
    if (threadIdx.x % 4 == 0 && row + 8 < h.n) {
        lse[head.stat + row + 8] = high.log_sum_exp();
    }
    partial_barrier(1 + group, GROUP_THREADS);
    store_group<WIDTH>(y + head.query, dynamic + (own - begin), sum, low.one_by_total(), high.one_by_total(), row - threadIdx.x % 32 / 4, h.n, h);
}
