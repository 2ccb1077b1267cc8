// A block's part of a matrix product on the warpgroups of compute capability 9.0, y[m, n] = sum over k of a(m, k) * b(n, k), in bf16 or f16 with sums in float32.
//
// Threads: 384. One warp copies boxes of the operands, 64 of k for the block's 128 rows and BN columns, into a ring of stages in shared memory; two
// warpgroups multiply, 64 rows each. Each stage has two mbarriers: `full`, whose phase ends when its boxes have landed, and `empty`, when all eight
// warps have multiplied it. Boxes are zero outside of their tensors, and results outside of y are not written. Shared memory: RingTile::SHARED_BYTES,
// dynamic. Grid: (m / 128, n / BN, batch * splits), rounded up; several splits go to a workspace, as in tensor_product.cuh. Deterministic.
#pragma once
#include "epilogue.cuh"
#include "warpgroup.cuh"

// Of one matrix: rows and columns of the result, stages of k, and into how many parts these are split.
struct Size {
    int m, n, stages, splits;
};

#define BM 128
#define GROUP_ROWS 64
#define GROUP_THREADS 128
#define STAGE_K 64
// 64 rows of k, or of 64 elements of k each
#define PIECE_BYTES 8192

template <int BN_, int STAGES_> struct RingTile {
    static const int BN = BN_, STAGES = STAGES_;
    static const int A_BYTES = BM * STAGE_K * 2, B_BYTES = BN * STAGE_K * 2, STAGE_BYTES = A_BYTES + B_BYTES;
    static const int ALIGNMENT = 1024;
    static const int SHARED_BYTES = STAGES * STAGE_BYTES + ALIGNMENT;
    static const int HALVES = BN / 128;
};

typedef RingTile<128, 6> Ring128x128;
typedef RingTile<256, 4> Ring128x256;

// A stage after another: its number, and the parity of its phase.
template <int STAGES> struct Turn {
    int stage = 0;
    unsigned parity = 0;
    __device__ __forceinline__ void next() {
        stage++;
        if (stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
};

// Bytes from one step of 16 of k to the next.
template <bool K_MAJOR> struct Step {
    static const int bytes = K_MAJOR ? 32 : 2048;
};

// The sums of a warpgroup to where they belong, by way of shared memory, so that accesses are long. place(i): the result's row that the block's row i is, or
// a negative number.
template <bool ACTIVE, typename T, typename Place> __device__ __forceinline__ void finish_group(const float (&sums)[T::HALVES][64], int group, const Finish& e, const Size& x, const Place& place, float* slab) {
    const int stride = T::BN + 8;
    slab += group * GROUP_ROWS * stride;
    int thread = threadIdx.x % GROUP_THREADS;
    int lane = thread % 32;
    float* to = slab + (thread / 32 * 16 + lane / 4) * stride + lane % 4 * 2;
#pragma unroll
    for (int h = 0; h < T::HALVES; h++) {
#pragma unroll
        for (int j = 0; j < 16; j++) {
            *reinterpret_cast<float2*>(to + h * 128 + j * 8) = make_float2(sums[h][4 * j], sums[h][4 * j + 1]);
            *reinterpret_cast<float2*>(to + h * 128 + j * 8 + 8 * stride) = make_float2(sums[h][4 * j + 2], sums[h][4 * j + 3]);
        }
    }
    partial_barrier(2 + group, GROUP_THREADS);
    const int quads = T::BN / 4;
#pragma unroll 1
    for (int q = thread; q < GROUP_ROWS * quads; q += GROUP_THREADS) {
        int row = place(group * GROUP_ROWS + q / quads);
        if (row >= 0) {
            finish_quad<ACTIVE>(e, slab + q / quads * stride + q % quads * 4, blockIdx.z * (i64) x.m + row, blockIdx.y * T::BN + q % quads * 4, x.n, x.splits > 1);
        }
    }
}

// Starts a group of products: a warpgroup's rows of a stage. ADDS: to the sums so far.
template <typename C, typename T, bool ADDS, bool A_K, bool B_K> __device__ __forceinline__ void multiply_stage(float (&sums)[T::HALVES][64], unsigned stage, int group) {
    unsigned long long left = matrix_descriptor(stage + group * PIECE_BYTES, PIECE_BYTES);
    unsigned long long right = matrix_descriptor(stage + T::A_BYTES, PIECE_BYTES);
    begin_products();
#pragma unroll
    for (int h = 0; h < T::HALVES; h++) {
        multiply<ADDS, A_K, B_K>(sums[h], left, right + (h * 2 * PIECE_BYTES >> 4), C());
    }
#pragma unroll
    for (int step = 1; step < STAGE_K / 16; step++) {
#pragma unroll
        for (int h = 0; h < T::HALVES; h++) {
            multiply<true, A_K, B_K>(sums[h], left + (step * Step<A_K>::bytes >> 4), right + (step * Step<B_K>::bytes + h * 2 * PIECE_BYTES >> 4), C());
        }
    }
    commit_products();
}

// ACTIVE: whether an activation may be asked for. bring(to, barrier, stage) starts to copy a stage's boxes: BM rows of the left operand, then BN of the right one. Every part of a split k has a stage or more.
template <bool ACTIVE, typename C, typename T, bool A_K, bool B_K, typename Bring, typename Place>
__device__ __forceinline__ void ring_product(const Finish& e, const Size& x, const Bring& bring, const Place& place) {
    extern __shared__ char dynamic[];
    __shared__ unsigned long long barriers[2 * T::STAGES];
    unsigned ring = ((unsigned) __cvta_generic_to_shared(dynamic) + T::ALIGNMENT - 1) / T::ALIGNMENT * T::ALIGNMENT;
    unsigned full = (unsigned) __cvta_generic_to_shared(barriers);
    unsigned empty = full + T::STAGES * 8;
    int share = (x.stages + x.splits - 1) / x.splits;
    int begin = blockIdx.z % x.splits * share;
    int count = x.stages - begin < share ? x.stages - begin : share;
    if (threadIdx.x == 0) {
#pragma unroll 1
        for (int s = 0; s < T::STAGES; s++) {
            init_barrier(full + s * 8, 1);
            init_barrier(empty + s * 8, 8);
        }
        publish_barriers();
    }
    __syncthreads();
    Turn<T::STAGES> turn;
    if (threadIdx.x < GROUP_THREADS) {
        fewer_registers<40>();
        if (threadIdx.x < 32 && elected()) {
#pragma unroll 1
            for (int s = 0; s < count; s++) {
                // the phase before the first is complete
                wait(empty + turn.stage * 8, turn.parity ^ 1);
                unsigned barrier = full + turn.stage * 8;
                arrive_and_expect(barrier, T::STAGE_BYTES);
                bring(ring + turn.stage * T::STAGE_BYTES, barrier, begin + s);
                turn.next();
            }
        }
        return;
    }
    more_registers<232>();
    int group = threadIdx.x / GROUP_THREADS - 1;
    float sums[T::HALVES][64];
    wait(full, 0);
    multiply_stage<C, T, false, A_K, B_K>(sums, ring, group);
    unsigned before = empty;
    turn.next();
#pragma unroll 1
    for (int s = 1; s < count; s++) {
        wait(full + turn.stage * 8, turn.parity);
        multiply_stage<C, T, true, A_K, B_K>(sums, ring + turn.stage * T::STAGE_BYTES, group);
        wait_for_products<1>();
        if (threadIdx.x % 32 == 0) {
            arrive(before);
        }
        before = empty + turn.stage * 8;
        turn.next();
    }
    wait_for_products<0>();
    // The other warpgroup may still be reading the stage that these sums go to.
    partial_barrier(1, 2 * GROUP_THREADS);
    finish_group<ACTIVE, T>(sums, group, e, x, place, reinterpret_cast<float*>(dynamic + (ring - (unsigned) __cvta_generic_to_shared(dynamic))));
}
