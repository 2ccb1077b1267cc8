// A block's part of a matrix product on tensor cores: BM x BN results by warps of WM x WN, through STAGES stages of shared memory.
//
// Threads: BM / WM * BN / WN * 32. Grid: (M / BM, N / BN, batch * splits), rounded up. Each split sums a part of k; where there are several, they go
// to a workspace, and matmul_sum_splits adds them in their order. Deterministic.
#pragma once
#include "epilogue.cuh"
#include "tensor.cuh"

// Threads of a block, and how many blocks a multiprocessor has at least: a file may say more than nothing.
#ifndef BOUNDS
#define BOUNDS(T) T::THREADS
#endif

// Rows and columns of the whole result, k, and into how many parts k is split.
struct Extent {
    int m, n, k, splits;
};

template <int BM_, int BN_, int WM_, int WN_, int STAGES_> struct Tile {
    static const int BM = BM_, BN = BN_, WM = WM_, WN = WN_, STAGES = STAGES_;
    static const int WARPS_N = BN / WN;
    static const int THREADS = BM / WM * WARPS_N * 32;
    static const int A_BYTES = BM * STAGE_BYTES, B_BYTES = BN * STAGE_BYTES;
};

typedef Tile<128, 128, 64, 32, 3> Tile128x128;
typedef Tile<128, 64, 64, 32, 4> Tile128x64;
typedef Tile<64, 64, 32, 32, 4> Tile64x64;
typedef Tile<64, 32, 32, 16, 4> Tile64x32;

template <typename T> struct Sums {
    float at[T::WM / 16][T::WN / 8][4];
};

// Goes through `count` stages of `bytes` each in shared memory: bring(stage, s) starts to copy stage s, use(stage) computes with it when it has landed,
// while up to STAGES - 1 others are on their way. In the end all copies have landed, and other warps may still read.
template <int STAGES, int BYTES, typename Bring, typename Use> __device__ __forceinline__ void through_stages(char* tiles, int count, const Bring& bring, const Use& use) {
#pragma unroll 1
    for (int s = 0; s < count + STAGES - 1; s++) {
        if (s >= STAGES - 1) {
            wait_copies<STAGES - 2>();
        }
        __syncthreads();
        if (s < count) {
            bring(tiles + s % STAGES * BYTES, s);
        }
        commit_copies();
        if (s >= STAGES - 1) {
            use(tiles + (s + 1) % STAGES * BYTES);
        }
    }
    wait_copies<0>();
}

// Both steps of a stage.
template <typename C, typename T, bool A_K, bool B_K> __device__ __forceinline__ void multiply_stage(Sums<T>& sums, const char* a, const char* b) {
    int warp = threadIdx.x / 32;
    int row = warp / T::WARPS_N * T::WM;
    int column = warp % T::WARPS_N * T::WN;
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        unsigned left[T::WM / 16][4];
#pragma unroll
        for (int i = 0; i < T::WM / 16; i++) {
            left_fragment<C, A_K, T::BM>(left[i], shared_address(a), row + i * 16, step);
        }
#pragma unroll
        for (int j = 0; j < T::WN / 16; j++) {
            unsigned right[4];
            right_fragment<C, B_K, T::BN>(right, shared_address(b), column + j * 16, step);
#pragma unroll
            for (int i = 0; i < T::WM / 16; i++) {
                mma<C>(sums.at[i][2 * j], left[i], right[0], right[1]);
                mma<C>(sums.at[i][2 * j + 1], left[i], right[2], right[3]);
            }
        }
    }
}

// The sums of a block to where they belong, 16 rows of each warp at a time: by way of shared memory, so that a warp's accesses are long.
template <bool ACTIVE, typename T> __device__ __forceinline__ void finish_tile(const Sums<T>& sums, const Finish& e, const Extent& x, float* slab) {
    const int stride = T::BN + 8;
    int warp = threadIdx.x / 32;
    int slab_row = warp / T::WARPS_N * 16 + (lane() >> 2);
    int slab_column = warp % T::WARPS_N * T::WN + (lane() & 3) * 2;
#pragma unroll 1
    for (int pass = 0; pass < T::WM / 16; pass++) {
        __syncthreads();
#pragma unroll
        for (int i = 0; i < T::WM / 16; i++) {
            if (i == pass) {
#pragma unroll
                for (int j = 0; j < T::WN / 8; j++) {
                    float* to = slab + slab_row * stride + slab_column + j * 8;
                    *reinterpret_cast<float2*>(to) = make_float2(sums.at[i][j][0], sums.at[i][j][1]);
                    *reinterpret_cast<float2*>(to + 8 * stride) = make_float2(sums.at[i][j][2], sums.at[i][j][3]);
                }
            }
        }
        __syncthreads();
        const int quads = T::BN / 4;
#pragma unroll 1
        for (int q = threadIdx.x; q < T::BM / T::WM * 16 * quads; q += T::THREADS) {
            int row = blockIdx.x * T::BM + q / quads / 16 * T::WM + pass * 16 + q / quads % 16;
            int column = blockIdx.y * T::BN + q % quads * 4;
            if (row < x.m) {
                finish_quad<ACTIVE>(e, slab + q / quads * stride + q % quads * 4, blockIdx.z * (i64) x.m + row, column, x.n, x.splits > 1);
            }
        }
    }
}

// ACTIVE: whether an activation may be asked for.
template <bool ACTIVE, typename C, typename T, bool A_K, bool B_K, typename A, typename B>
__device__ __forceinline__ void product(const A& a, const B& b, const Finish& e, const Extent& x) {
    __shared__ __align__(128) char tiles[T::STAGES * (T::A_BYTES + T::B_BYTES)];
    Loader<C, A_K, T::BM, T::THREADS, A> as(a, blockIdx.x * T::BM);
    Loader<C, B_K, T::BN, T::THREADS, B> bs(b, blockIdx.y * T::BN);
    int all = (x.k + Chunk<C>::k - 1) / Chunk<C>::k;
    int share = (all + x.splits - 1) / x.splits;
    int begin = blockIdx.z % x.splits * share;
    int count = all - begin < share ? all - begin : share;
    Sums<T> sums = {};
    through_stages<T::STAGES, T::A_BYTES + T::B_BYTES>(tiles, count, [&](char* stage, int s) {
        as.load(stage, (begin + s) * Chunk<C>::k);
        bs.load(stage + T::A_BYTES, (begin + s) * Chunk<C>::k);
    }, [&](const char* stage) { multiply_stage<C, T, A_K, B_K>(sums, stage, stage + T::A_BYTES); });
    finish_tile<ACTIVE>(sums, e, x, reinterpret_cast<float*>(tiles));
}
