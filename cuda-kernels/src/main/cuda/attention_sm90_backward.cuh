// Attention's backward pass on the warpgroups of compute capability 9.0, for heads of up to WIDTH channels, bf16 or f16. Formulas as in attention_mma.cuh, and like
// there: dq by rows of queries, dk and dv by rows of keys, each forming the scores anew; no atomics, deterministic.
//
// Threads: 384. Two warpgroups have 64 rows of the result each. Bulk copies bring both operands of these rows once (q and dy, or k and v), and tiles of 64 rows of both
// operands of the other side (k and v, or q and dy) into a ring of stages. Scores and the weights' gradients come of operands in shared memory and stay in
// registers; rounded to 16 bits, they are left operands of the products with the same tiles, which are under way while the next tile's are differentiated.
// Grid: (rows / 128, heads, B). The scale must be positive; no padding.
#pragma once
#include "attention_sm90.cuh"

#define TILE 64

// Starts s = rows * columns^T of 64 rows of each.
template <int WIDTH, typename T> __device__ __forceinline__ void start_tile(float (&s)[TILE / 8][4], unsigned rows, unsigned columns) {
    const int PIECE = Room<WIDTH, 1>::QUERY_PIECE;
    unsigned long long left = matrix_descriptor(rows, 0);
    unsigned long long right = matrix_descriptor(columns, 0);
    multiply_shared<T, false>(s, left, right);
#pragma unroll
    for (int step = 1; step < WIDTH / STEP_K; step++) {
        multiply_shared<T, true>(s, left + (step_bytes(step, PIECE) >> 4), right + (step_bytes(step, PIECE) >> 4));
    }
}

template <bool OF_KEYS, int WIDTH, int STAGES, typename T> __device__ __forceinline__ void backward(const TensorMap& own, const TensorMap& own2, const TensorMap& other, const TensorMap& other2,
        const float* lse, const float* delta, T* result, T* result2, const Heads& h, float scale) {
    typedef Room<WIDTH, STAGES> R;
    const int OPERAND = R::QUERIES;   // 64 rows of one
    extern __shared__ unsigned char dynamic[];
    __shared__ unsigned long long barriers[1 + 2 * STAGES];
    __shared__ float stats[OF_KEYS ? GROUPS : 1][2][2][TILE];
    unsigned begin = shared_address(dynamic);
    unsigned rows = (begin + R::ALIGNMENT - 1) / R::ALIGNMENT * R::ALIGNMENT;
    unsigned landed = shared_address(barriers);
    Ring<STAGES> ring = {rows + GROUPS * 2 * OPERAND, landed + 8, landed + 8 + STAGES * 8, 2 * OPERAND};
    int first = blockIdx.x * GROUPS * GROUP_ROWS;
    i64 all = OF_KEYS ? h.m : h.n;
    int groups = all - first > GROUP_ROWS ? GROUPS : 1;
    int from = OF_KEYS && h.causal ? first / TILE : 0;
    int tiles = ((int) (OF_KEYS ? h.n : visible(h, first + groups * GROUP_ROWS - 1)) + TILE - 1) / TILE - from;
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
            arrive_and_expect(landed, groups * 2 * OPERAND);
#pragma unroll 1
            for (int i = 0; i < groups * 2 * R::PIECES; i++) {
                copy_box(rows + i * R::QUERY_PIECE, i / R::PIECES % 2 == 0 ? own : own2, i % R::PIECES * PIECE_CHANNELS, blockIdx.y, first + i / R::PIECES / 2 * GROUP_ROWS, blockIdx.z, landed);
            }
#pragma unroll 1
            for (int t = 0; t < tiles; t++) {
                ring.bring(t, other, other2, (from + t) * TILE, R::PIECES, R::QUERY_PIECE, 2 * R::PIECES);
            }
        }
        return;
    }
    more_registers<240>();
    int group = threadIdx.x / GROUP_THREADS - 1;
    if (group >= groups) {
        return;
    }
    Head head(h);
    unsigned left = rows + group * 2 * OPERAND;
    int thread = threadIdx.x % GROUP_THREADS;
    int lane_column = threadIdx.x % 4 * 2;
    i64 group_row = first + group * GROUP_ROWS;
    i64 row = group_row + thread / 32 * 16 + threadIdx.x % 32 / 4;
    float factor = scale * LOG2_E;
    // of this lane's two rows, the logarithms in powers of two
    float2 row_stats[2] = {};
    if (!OF_KEYS) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            if (row + half * 8 < h.n) {
                row_stats[half] = make_float2(lse[head.stat + row + half * 8] * LOG2_E, delta[head.stat + row + half * 8]);
            }
        }
    }
    // of the tile's queries, each thread brings one, before they are needed
    auto stat_of = [&](int t) {
        i64 n = (i64) (from + t) * TILE + thread % TILE;
        return n >= h.n ? 0 : thread < TILE ? lse[head.stat + n] * LOG2_E : delta[head.stat + n];
    };
    float s[TILE / 8][4];
    float ds[TILE / 8][4];
    unsigned p16[OF_KEYS ? TILE / STEP_K : 1][4];
    unsigned ds16[TILE / STEP_K][4];
    float sum[WIDTH / 8][4] = {};
    float sum2[OF_KEYS ? WIDTH / 8 : 2][4] = {};
    // of a tile, whose scores have come, weights take the place of scores, and the gradients of scores that of the weights' gradients
    auto differentiate = [&](int t) {
        i64 column = (i64) (from + t) * TILE;
        const float* stat = stats[OF_KEYS ? group : 0][t % 2][0];
        if (OF_KEYS) {
            if (h.causal && column < group_row + GROUP_ROWS) {
                int before = (int) (row - column) - lane_column;
                hide_before(s, before, before + 8);
            }
        } else if (column + TILE > visible(h, group_row)) {
            hide_from(s, (int) (visible(h, row) - column) - lane_column, (int) (visible(h, row + 8) - column) - lane_column);
        }
#pragma unroll
        for (int i = 0; i < TILE / 8; i++) {
            float2 l = OF_KEYS ? *reinterpret_cast<const float2*>(stat + i * 8 + lane_column) : make_float2(0, 0);
            float2 d = OF_KEYS ? *reinterpret_cast<const float2*>(stat + TILE + i * 8 + lane_column) : make_float2(0, 0);
#pragma unroll
            for (int e = 0; e < 4; e++) {
                s[i][e] = exp2_fast(fmaf(s[i][e], factor, OF_KEYS ? e % 2 ? -l.y : -l.x : -row_stats[e / 2].x));
                ds[i][e] = s[i][e] * (ds[i][e] - (OF_KEYS ? e % 2 ? d.y : d.x : row_stats[e / 2].y));
            }
        }
        if (OF_KEYS && h.causal && column + lane_column == 0 && row == 0) {
            ds[0][0] = 0;   // the first query sees one key: its weight is 1 whatever the score
        }
    };
    auto start_scores = [&](int t) {
        begin_products();
        start_tile<WIDTH, T>(s, left, ring.at(t));
        start_tile<WIDTH, T>(ds, left + OPERAND, ring.at(t) + OPERAND);
        commit_products();
    };
    auto start_results = [&](int t) {
        hold(sum);
        hold(ds16);
        if (OF_KEYS) {
            hold(sum2);
            hold(p16);
        }
        begin_products();
        start_sums<T>(sum, ds16, ring.at(t));
        if constexpr (OF_KEYS) {
            start_sums<T>(sum2, p16, ring.at(t) + OPERAND);
        }
        commit_products();
    };
    float next = OF_KEYS ? stat_of(0) : 0;
    wait(landed, 0);
    if (tiles > 0) {
        ring.wait_for(0);
        start_scores(0);
        wait_for_products<0>();
        hold(s);
        hold(ds);
        int t = 0;
#pragma unroll 1
        while (true) {
            if (OF_KEYS) {
                stats[group][t % 2][thread / TILE][thread % TILE] = next;
                next = stat_of(t + 1);
                partial_barrier(1 + group, GROUP_THREADS);
            }
            differentiate(t);
            wait_for_products<0>();
            hold(sum);
            if (OF_KEYS) {
                hold(sum2);
            }
            ring.release(t == 0 ? 0 : t - 1, t > 0);
            round_weights<T>(ds16, ds);
            if constexpr (OF_KEYS) {
                round_weights<T>(p16, s);
            }
            t++;
            if (t == tiles) {
                break;
            }
            ring.wait_for(t);
            start_scores(t);
            start_results(t - 1);
            wait_for_products<1>();
            hold(s);
            hold(ds);
        }
        start_results(t - 1);
        wait_for_products<0>();
        hold(sum);
        if (OF_KEYS) {
            hold(sum2);
        }
    }
    partial_barrier(1 + group, GROUP_THREADS);
    i64 warp_row = row - threadIdx.x % 32 / 4;
    unsigned char* at = dynamic + (left - begin);
    i64 place = OF_KEYS ? head.key : head.query;
    // rows that see one key have no gradient by its score
    bool low = OF_KEYS ? h.m == 1 : sees_one(h, row);
    bool high = OF_KEYS ? h.m == 1 : sees_one(h, row + 8);
    store_group<WIDTH>(result + place, at, sum, low ? 0 : scale, high ? 0 : scale, warp_row, all, h);
    if constexpr (OF_KEYS) {
        store_group<WIDTH>(result2 + place, at + OPERAND, sum2, 1, 1, warp_row, all, h);
    }
}
