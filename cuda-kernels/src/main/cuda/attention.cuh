// What the attention kernels share.
#pragma once
#include "mma.cuh"

#define LOG2_E 1.4426950408889634f
#define LN_2 0.6931471805599453f

// A matrix in shared memory whose rows of WIDTH elements are 16 bytes apart from the next, so that eight rows lie in different banks.
template <typename T, int WIDTH> struct Tile {
    static const int STRIDE = WIDTH + 8;
    T* at;

    // 16 rows x 16 of k: an operand a.
    __device__ __forceinline__ void left(unsigned (&a)[4], int row, int k) const {
        load_matrices(a, shared_address(at + (row + lane() % 16) * STRIDE + k + lane() / 16 * 8));
    }
    // Operands b of two neighbouring products, each b[n][k] = tile[n][k]: (r[0], r[1]) for columns n .. n + 7, (r[2], r[3]) for the next 8.
    __device__ __forceinline__ void right(unsigned (&b)[4], int n, int k) const {
        load_matrices(b, shared_address(at + (n + lane() / 16 * 8 + lane() % 8) * STRIDE + k + lane() / 8 % 2 * 8));
    }
    // The same with b[n][k] = tile[k][n].
    __device__ __forceinline__ void right_transposed(unsigned (&b)[4], int k, int n) const {
        load_matrices_transposed(b, shared_address(at + (k + lane() % 16) * STRIDE + n + lane() / 16 * 8));
    }
};

// q, y, dy [B,n,heads * d], k, v [B,m,heads * d]; vectors: whether rows of a head start at 16 bytes and have a multiple of 8 channels
// lengths: how many keys each image has, the first ones of its m; null for all
struct Heads {
    i64 n, m, heads, d;
    i64 causal, vectors;
    const int* lengths;
};

// With as many keys as this block's image has.
__device__ __forceinline__ Heads of_image(const Heads& all) {
    Heads h = all;
    if (h.lengths && h.lengths[blockIdx.z] < h.m) {
        h.m = h.lengths[blockIdx.z];
    }
    return h;
}

__device__ __forceinline__ float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Where a head of this block's image begins in queries, keys and statistics.
struct Head {
    i64 query, key, stat;
    i64 stride;

    __device__ __forceinline__ explicit Head(const Heads& h) {
        stride = h.heads * h.d;
        query = blockIdx.z * h.n * stride + blockIdx.y * h.d;
        key = blockIdx.z * h.m * stride + blockIdx.y * h.d;
        stat = (blockIdx.z * h.heads + blockIdx.y) * h.n;
    }
};

// Rows first .. first + ROWS - 1 of a head, its channels padded to WIDTH; zeros outside. Not there before the copies were waited for.
template <int ROWS, int WIDTH, int THREADS, typename T> __device__ __forceinline__ void load_rows(Tile<T, WIDTH> tile, const T* from, i64 first, i64 rows, const Heads& h) {
    const int UNITS = WIDTH / 8;
    i64 stride = h.heads * h.d;
#pragma unroll 1
    for (int i = threadIdx.x; i < ROWS * UNITS; i += THREADS) {
        int row = i / UNITS;
        int c = i % UNITS * 8;
        T* to = tile.at + row * tile.STRIDE + c;
        bool valid = first + row < rows && c < h.d;
        const T* source = valid ? from + (first + row) * stride + c : from;
        if (h.vectors) {
            copy16(to, source, valid ? 16 : 0);
        } else {
#pragma unroll 1
            for (int e = 0; e < 8; e++) {
                to[e] = valid && c + e < h.d ? source[e] : from_float<T>(0);
            }
        }
    }
}

// Puts 16 rows of a result, rounded, from accumulators into a tile that only this warp uses.
template <int TILES, int WIDTH, typename T> __device__ __forceinline__ void put_tile(Tile<T, WIDTH> tile, int row, const float (&sum)[TILES][4], float low, float high, int channel) {
    int lane = threadIdx.x & 31;
    T* at = tile.at + (row + lane / 4) * tile.STRIDE + channel + lane % 4 * 2;
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        *reinterpret_cast<unsigned*>(at + t * 8) = packed<T>(sum[t][0] * low, sum[t][1] * low);
        *reinterpret_cast<unsigned*>(at + 8 * tile.STRIDE + t * 8) = packed<T>(sum[t][2] * high, sum[t][3] * high);
    }
}

// Stores ROWS rows of a tile as rows `first` .. of a head, by THREADS threads.
template <int ROWS, int WIDTH, int THREADS, typename T> __device__ __forceinline__ void store_rows(T* to, Tile<T, WIDTH> tile, i64 first, i64 rows, const Heads& h) {
    const int UNITS = WIDTH / 8;
    i64 stride = h.heads * h.d;
#pragma unroll 1
    for (int i = threadIdx.x % THREADS; i < ROWS * UNITS; i += THREADS) {
        int row = i / UNITS;
        int c = i % UNITS * 8;
        const T* from = tile.at + row * tile.STRIDE + c;
        T* target = to + (first + row) * stride + c;
        if (first + row < rows && c < h.d) {
            if (h.vectors) {
                *reinterpret_cast<uint4*>(target) = *reinterpret_cast<const uint4*>(from);
            } else {
#pragma unroll 1
                for (int e = 0; e < 8 && c + e < h.d; e++) {
                    target[e] = from[e];
                }
            }
        }
    }
}

// Zeros in those of ROWS rows of a head from `first` on that lie in begin .. end - 1: gradients of keys that an image does not have.
template <int ROWS, int THREADS, typename T> __device__ __forceinline__ void zero_rows(T* to, i64 first, i64 begin, i64 end, const Heads& h) {
    i64 stride = h.heads * h.d;
    begin = first > begin ? first : begin;
    end = first + ROWS < end ? first + ROWS : end;
#pragma unroll 1
    for (i64 i = threadIdx.x; i < (end - begin) * h.d; i += THREADS) {
        to[(begin + i / h.d) * stride + i % h.d] = from_float<T>(0);
    }
}

// The accumulators of two neighbouring products as the left operand of the next.
template <typename T> __device__ __forceinline__ void as_left(unsigned (&a)[4], const float (&first)[4], const float (&second)[4]) {
    a[0] = packed<T>(first[0], first[1]);
    a[1] = packed<T>(first[2], first[3]);
    a[2] = packed<T>(second[0], second[1]);
    a[3] = packed<T>(second[2], second[3]);
}

// The larger (the sum) of what the four lanes of a row hold.
__device__ __forceinline__ float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}
__device__ __forceinline__ float row_sum(float x) {
    x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
    return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

// A row's running maximum and sum, in powers of two.
struct Softmax {
    float top = -INFINITY;
    float total = 0;

    // Turns scores of this row, multiplied by `factor` (log2 e in it), entries `half` and `half + 1` of each tile, into
    // weights; gives the factor for what was summed before.
    template <int TILES> __device__ __forceinline__ float add(float (&s)[TILES][4], int half, float factor) {
        float larger = top;
#pragma unroll
        for (int t = 0; t < TILES; t++) {
            s[t][half] *= factor;
            s[t][half + 1] *= factor;
            larger = fmaxf(larger, fmaxf(s[t][half], s[t][half + 1]));
        }
        larger = row_max(larger);
        float shrink = exp2_fast(top - larger);
        float sum = 0;
#pragma unroll
        for (int t = 0; t < TILES; t++) {
            s[t][half] = exp2_fast(s[t][half] - larger);
            s[t][half + 1] = exp2_fast(s[t][half + 1] - larger);
            sum += s[t][half] + s[t][half + 1];
        }
        top = larger;
        total = total * shrink + sum;   // of this lane's keys
        return shrink;
    }

    // After the last tile.
    __device__ __forceinline__ void close() { total = row_sum(total); }
    // Both are 0 in a row that sees no key.
    __device__ __forceinline__ float one_by_total() const { return total == 0 ? 0 : 1 / total; }
    __device__ __forceinline__ float log_sum_exp() const { return total == 0 ? 0 : (top + log2f(total)) * LN_2; }
};

// Hides entries of a tile: those at or beyond `limits` in the lane's rows n and n + 8, counted from the lane's first column.
template <int TILES> __device__ __forceinline__ void hide_from(float (&s)[TILES][4], int low, int high) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        s[t][0] = t * 8 < low ? s[t][0] : -INFINITY;
        s[t][1] = t * 8 + 1 < low ? s[t][1] : -INFINITY;
        s[t][2] = t * 8 < high ? s[t][2] : -INFINITY;
        s[t][3] = t * 8 + 1 < high ? s[t][3] : -INFINITY;
    }
}

// Hides the entries before the limits.
template <int TILES> __device__ __forceinline__ void hide_before(float (&s)[TILES][4], int low, int high) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        s[t][0] = t * 8 >= low ? s[t][0] : -INFINITY;
        s[t][1] = t * 8 + 1 >= low ? s[t][1] : -INFINITY;
        s[t][2] = t * 8 >= high ? s[t][2] : -INFINITY;
        s[t][3] = t * 8 + 1 >= high ? s[t][3] : -INFINITY;
    }
}

// How many keys rows up to `last` see.
__device__ __forceinline__ i64 visible(const Heads& h, i64 last) { return h.causal && last + 1 < h.m ? last + 1 : h.m; }

// Whether a row's weights do not depend on its scores: it sees one key.
__device__ __forceinline__ bool sees_one(const Heads& h, i64 n) { return h.m == 1 || (h.causal && n == 0); }
