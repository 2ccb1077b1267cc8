// Pieces of a matrix product on tensor cores (mma.sync), y[m, n] = sum over k of a(m, k) * b(n, k): element types bf16, f16, and float as tf32.
//
// Operands pass through shared memory in stages of 64 bytes of k for each of their rows, copied asynchronously, in chunks of 16 bytes. A tile lies
// there as its operand lies in memory: with k running fastest (K_MAJOR, rows of 64 bytes) or with m or n running fastest. Chunks of a row are
// permuted so that neither copies nor reads of fragments meet in a bank. Sums: float32.
#pragma once
#include "mma.cuh"
#include "operands.cuh"

#define CHUNK 16
#define STAGE_BYTES 64
#define STEPS 2

template <typename C> struct Chunk {
    static const int elements = CHUNK / sizeof(C);
    // k of a stage
    static const int k = STAGE_BYTES / sizeof(C);
};

__device__ __forceinline__ unsigned load_word(unsigned address) {
    unsigned w;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(w) : "r"(address) : "memory");
    return w;
}

// Tensor cores cut operands of tf32 off; rounded before, they lose half as much.
template <typename C> __device__ __forceinline__ void rounded(unsigned (&)[4]) {}
template <> __device__ __forceinline__ void rounded<tf32>(unsigned (&f)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(f[i]) : "f"(__uint_as_float(f[i])));
    }
}

// Which chunk of a row holds chunk c. ROWS: rows of the operand (m or n) in the tile.
__device__ __forceinline__ int place_k_major(int row, int c) { return c ^ (row >> 1 & 3); }
template <typename C, int ROWS> __device__ __forceinline__ int place_row_major(int k, int c) {
    if constexpr (sizeof(C) == 4) {
        return c ^ (ROWS >= 32 ? (k & 3) << 1 : k & 2);
    } else {
        return c ^ (ROWS >= 64 ? k & 7 : ROWS == 32 ? k >> 1 & 3 : k >> 2 & 1);
    }
}

// Fragment of 16 rows of the left operand by one step of k.
template <typename C, bool K_MAJOR, int ROWS> __device__ __forceinline__ void left_fragment(unsigned (&f)[4], unsigned tile, int row, int step) {
    if constexpr (K_MAJOR) {
        int r = row + (lane() & 15);
        load_matrices(f, tile + r * STAGE_BYTES + place_k_major(r, step * 2 + (lane() >> 4)) * CHUNK);
    } else if constexpr (sizeof(C) == 2) {
        int k = step * 16 + (lane() & 7) + (lane() >> 4) * 8;
        load_matrices_transposed(f, tile + (k * (ROWS / 8) + place_row_major<C, ROWS>(k, row / 8 + (lane() >> 3 & 1))) * CHUNK);
    } else {
        int k = step * 8 + (lane() & 3);
        int r = row + (lane() >> 2);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int ki = k + i / 2 * 4;
            int ri = r + i % 2 * 8;
            f[i] = load_word(tile + (ki * (ROWS / 4) + place_row_major<C, ROWS>(ki, ri / 4)) * CHUNK + ri % 4 * 4);
        }
    }
    rounded<C>(f);
}

// Fragments of 2 x 8 rows of the right operand by one step of k: f[0], f[1] for the first 8, f[2], f[3] for the others.
template <typename C, bool K_MAJOR, int ROWS> __device__ __forceinline__ void right_fragment(unsigned (&f)[4], unsigned tile, int row, int step) {
    if constexpr (K_MAJOR) {
        int r = row + (lane() & 7) + (lane() >> 4) * 8;
        load_matrices(f, tile + r * STAGE_BYTES + place_k_major(r, step * 2 + (lane() >> 3 & 1)) * CHUNK);
    } else if constexpr (sizeof(C) == 2) {
        int k = step * 16 + (lane() & 15);
        load_matrices_transposed(f, tile + (k * (ROWS / 8) + place_row_major<C, ROWS>(k, row / 8 + (lane() >> 4))) * CHUNK);
    } else {
        int k = step * 8 + (lane() & 3);
        int r = row + (lane() >> 2);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int ki = k + i % 2 * 4;
            int ri = r + i / 2 * 8;
            f[i] = load_word(tile + (ki * (ROWS / 4) + place_row_major<C, ROWS>(ki, ri / 4)) * CHUNK + ri % 4 * 4);
        }
    }
    rounded<C>(f);
}

// One chunk on its way to shared memory, asynchronously.
template <typename C, typename S> __device__ __forceinline__ void fetch(const S& s, const typename S::Line& line, int i, char* to) {
    i64 at;
    int n = s.run(line, i, at);
    n = n < 0 ? 0 : n < Chunk<C>::elements ? n : Chunk<C>::elements;
    copy16(to, s.data.at + (n > 0 ? at * (i64) sizeof(C) : 0), n * (int) sizeof(C));
}

// The same element by element, from any type and place.
template <typename C, typename S> __device__ __forceinline__ void fetch_slowly(const S& s, const typename S::Line& line, int i, char* to) {
#pragma unroll 1
    for (int e = 0; e < Chunk<C>::elements; e++) {
        i64 at;
        int n = s.run(line, i + e, at);
        reinterpret_cast<C*>(to)[e] = from_float<C>(n > 0 ? load(s.data, at) : 0);
    }
}

// How a block brings ROWS rows of an operand, from row `first` on, into shared memory.
template <typename C, bool K_MAJOR, int ROWS, int THREADS, typename S> struct Loader {
    static const int CHUNKS = ROWS * 4;
    static const int COUNT = (CHUNKS + THREADS - 1) / THREADS;
    static const bool EVEN = CHUNKS % THREADS == 0;
    // chunks of a line in the tile
    static const int PER_LINE = K_MAJOR ? 4 : ROWS / Chunk<C>::elements;
    const S& source;
    int first;
    typename S::Line lines[K_MAJOR ? COUNT : 1];

    __device__ __forceinline__ Loader(const S& s, int row) : source(s), first(row) {
        if constexpr (K_MAJOR) {
#pragma unroll
            for (int c = 0; c < COUNT; c++) {
                lines[c] = s.line(first + ((int) threadIdx.x + c * THREADS) / 4);
            }
        }
    }

    // Where chunk q of the tile goes, in bytes.
    static __device__ __forceinline__ int place(int q) {
        if constexpr (K_MAJOR) {
            return (q & ~3) * CHUNK + place_k_major(q / 4, q % 4) * CHUNK;
        } else {
            return (q / PER_LINE * PER_LINE + place_row_major<C, ROWS>(q / PER_LINE, q % PER_LINE)) * CHUNK;
        }
    }

    // Starts to bring the stage of k from k0 on.
    __device__ __forceinline__ void load(char* tile, int k0) const {
        if (source.data.fast) {
#pragma unroll
            for (int c = 0; c < COUNT; c++) {
                int q = (int) threadIdx.x + c * THREADS;
                if (EVEN || q < CHUNKS) {
                    if constexpr (K_MAJOR) {
                        fetch<C>(source, lines[c], k0 + q % 4 * Chunk<C>::elements, tile + place(q));
                    } else {
                        fetch<C>(source, source.line(k0 + q / PER_LINE), first + q % PER_LINE * Chunk<C>::elements, tile + place(q));
                    }
                }
            }
        } else {
#pragma unroll 1
            for (int q = threadIdx.x; q < CHUNKS; q += THREADS) {
                int i = q % PER_LINE * Chunk<C>::elements;
                fetch_slowly<C>(source, source.line((K_MAJOR ? first : k0) + q / PER_LINE), (K_MAJOR ? k0 : first) + i, tile + place(q));
            }
        }
    }
};
