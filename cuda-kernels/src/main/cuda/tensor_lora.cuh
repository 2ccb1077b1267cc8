// A linear layer and its low-rank update in one launch (LoRA): with x [M, K], down(k, r) and up(r, n),
//
//   low = scale * x * down, [M, R];   y = x * w + low * up (+ bias)
//
// Forward: w [N, K], down = A [R, K], up = B [N, R]. Gradient of the input: x is dy, w [K, N], down = B [K, R], up = A [R, N], low the gradient of the
// forward pass's. Each block computes low for its rows beside its part of x * w, from the same stages of x: for each 16 rows one of the warps that
// share them. Of the blocks with the same rows, the first writes low. low is rounded to the type before it is multiplied by up. Deterministic.
#pragma once
#include "tensor_product.cuh"

// K_MAJOR: k runs fastest in w and down, r in up; otherwise n, r and n do. RANKS: columns of low, 16 or 64, of which the last may be zeros.
template <typename C, typename T, bool K_MAJOR, int RANKS>
__device__ __forceinline__ void low_rank(const Plain& x, const Plain& w, const Plain& down, const Plain& up, Finish e, char* low, int rank, double scale, const Extent& size) {
    const int stage_bytes = T::A_BYTES + T::B_BYTES + RANKS * STAGE_BYTES;
    const int stages = RANKS <= 16 ? 2 + (T::BM < 128) : 2;
    __shared__ __align__(128) char tiles[stages * stage_bytes];
    static_assert(T::WM / 16 == T::WARPS_N, "each warp has 16 rows of low");
    static_assert(RANKS * sizeof(C) <= 4 * STAGE_BYTES, "low fits where the stages were");
    Loader<C, true, T::BM, T::THREADS, Plain> xs(x, blockIdx.x * T::BM);
    Loader<C, K_MAJOR, T::BN, T::THREADS, Plain> ws(w, blockIdx.y * T::BN);
    Loader<C, K_MAJOR, RANKS, T::THREADS, Plain> downs(down, 0);
    int count = (size.k + Chunk<C>::k - 1) / Chunk<C>::k;
    int warp = threadIdx.x / 32;
    int low_row = warp / T::WARPS_N * T::WM + warp % T::WARPS_N * 16;
    Sums<T> sums = {};
    float lows[RANKS / 8][4] = {};
    through_stages<stages, stage_bytes>(tiles, count, [&](char* stage, int s) {
        xs.load(stage, s * Chunk<C>::k);
        ws.load(stage + T::A_BYTES, s * Chunk<C>::k);
        downs.load(stage + T::A_BYTES + T::B_BYTES, s * Chunk<C>::k);
    }, [&](const char* stage) {
        multiply_stage<C, T, true, K_MAJOR>(sums, stage, stage + T::A_BYTES);
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            unsigned left[4];
            left_fragment<C, true, T::BM>(left, shared_address(stage), low_row, step);
#pragma unroll
            for (int j = 0; j < RANKS / 16; j++) {
                unsigned right[4];
                right_fragment<C, K_MAJOR, RANKS>(right, shared_address(stage + T::A_BYTES + T::B_BYTES), j * 16, step);
                mma<C>(lows[2 * j], left, right[0], right[1]);
                mma<C>(lows[2 * j + 1], left, right[2], right[3]);
            }
        }
    });
    // low becomes the left operand of one more product, as stages of k = r.
    const int parts = (RANKS * (int) sizeof(C) + STAGE_BYTES - 1) / STAGE_BYTES;
    Loader<C, K_MAJOR, T::BN, T::THREADS, Plain> ups(up, blockIdx.y * T::BN);
#pragma unroll 1
    for (int part = 0; part < parts; part++) {
        __syncthreads();
        ups.load(tiles + T::A_BYTES, part * Chunk<C>::k);
        commit_copies();
#pragma unroll
        for (int j = 0; j < RANKS / 8; j++) {
#pragma unroll
            for (int v = 0; v < 4; v++) {
                int row = low_row + (lane() >> 2) + v / 2 * 8;
                int r = j * 8 + (lane() & 3) * 2 + v % 2;
                C value = from_float<C>((float) scale * lows[j][v]);
                if (r / Chunk<C>::k == part) {
                    int in_row = r % Chunk<C>::k;
                    char* to = tiles + row * STAGE_BYTES + place_k_major(row, in_row / Chunk<C>::elements) * CHUNK;
                    reinterpret_cast<C*>(to)[in_row % Chunk<C>::elements] = value;
                    int m = blockIdx.x * T::BM + row;
                    if (blockIdx.y == 0 && m < size.m && r < rank) {
                        reinterpret_cast<C*>(low)[(i64) m * rank + r] = value;
                    }
                }
            }
        }
        if (RANKS < Chunk<C>::k) {
            // what 16 columns of 16 bits leave of a stage
            for (int q = threadIdx.x; q < T::BM * 2; q += T::THREADS) {
                *reinterpret_cast<uint4*>(tiles + q / 2 * STAGE_BYTES + place_k_major(q / 2, 2 + q % 2) * CHUNK) = make_uint4(0, 0, 0, 0);
            }
        }
        wait_copies<0>();
        __syncthreads();
        multiply_stage<C, T, true, K_MAJOR>(sums, tiles, tiles + T::A_BYTES);
    }
    finish_tile<false>(sums, e, size, reinterpret_cast<float*>(tiles));
}

#define ENTRY(name, T, K_MAJOR, layout, RANKS) \
    extern "C" __global__ void __launch_bounds__(T::THREADS, 1) lora_##name##_##layout##_##T##_##RANKS(Plain x, Plain w, Plain down, Plain up, Finish e, char* low, int rank, double scale, Extent size) { \
        low_rank<name, T, K_MAJOR, RANKS>(x, w, down, up, e, low, rank, scale, size); \
    }
#define RANKS(name, R) ENTRY(name, Tile128x128, true, fwd, R) ENTRY(name, Tile64x64, true, fwd, R) ENTRY(name, Tile128x128, false, bwd_input, R) ENTRY(name, Tile64x64, false, bwd_input, R)
#define ENTRIES(name) RANKS(name, 16) RANKS(name, 64)
