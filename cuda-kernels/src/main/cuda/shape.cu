// Kernels that move elements: permutation, slices of an axis, rows by index and the adjoint of that.
//
//   permute:      y[i] = x[offset(i)] with x's strides in the order of y's axes
//   copy_slice:   y[o][yStart + k][j] = x[o][xStart + k][j]; an axis of x with `xRow` elements per outer index, of y with `yRow`
//   gather_rows:  y[i] = table[ids[i]]
//   scatter_rows: dtable[v] = sum of dy[i] over i with ids[i] = v, in the order of i, in float32
//
// Grid: any number of blocks of 256 threads, each thread taking every (grid size)-th element. No shared memory. Deterministic: scatter_rows
// has one thread per element of the table, which looks through all ids.
#include "common.cuh"

#define MAX_RANK 6

struct Walk {
    i64 rank;
    i64 sizes[MAX_RANK];
    i64 strides[MAX_RANK];
};

template <typename T> __device__ __forceinline__ void permute(const T* x, T* y, i64 n, const Walk& from) {
    EACH(i, n) {
        i64 rest = i;
        i64 at = 0;
#pragma unroll
        for (int d = MAX_RANK - 1; d >= 0; d--) {
            if (d < from.rank) {
                at += rest % from.sizes[d] * from.strides[d];
                rest /= from.sizes[d];
            }
        }
        y[i] = x[at];
    }
}

template <typename T> __device__ __forceinline__ void copy_slice(const T* x, T* y, i64 n, i64 xRow, i64 yRow, i64 xStart, i64 yStart, i64 count) {
    EACH(i, n) { y[i / count * yRow + yStart + i % count] = x[i / count * xRow + xStart + i % count]; }
}

#define ENTRIES(T, suffix) \
    extern "C" __global__ void permute_##suffix(const T* x, T* y, i64 n, Walk from) { permute(x, y, n, from); } \
    extern "C" __global__ void copy_slice_##suffix(const T* x, T* y, i64 n, i64 xRow, i64 yRow, i64 xStart, i64 yStart, i64 count) { \
        copy_slice(x, y, n, xRow, yRow, xStart, yStart, count); \
    }
ENTRIES(u8, b8)
ENTRIES(unsigned short, b16)
ENTRIES(unsigned, b32)
ENTRIES(i64, b64)

#define GATHER(T, from, Y, to) \
    extern "C" __global__ void gather_rows_##from##_##to(const T* table, const int* ids, Y* y, i64 n, i64 channels) { \
        EACH(i, n) { y[i] = from_float<Y>(to_float(table[ids[i / channels] * channels + i % channels])); } \
    }
GATHER(float, f32, float, f32)
GATHER(f16, f16, float, f32)
GATHER(bf16, bf16, float, f32)
GATHER(f16, f16, f16, f16)
GATHER(bf16, bf16, bf16, bf16)

#define SCATTER(T, from, Y, to) \
    extern "C" __global__ void scatter_rows_##from##_##to(const T* dy, const int* ids, Y* dtable, i64 n, i64 channels, i64 count) { \
        EACH(i, n) { \
            i64 row = i / channels; \
            float sum = 0; \
            for (i64 k = 0; k < count; k++) { \
                if (ids[k] == row) { \
                    sum += to_float(dy[k * channels + i % channels]); \
                } \
            } \
            dtable[i] = from_float<Y>(sum); \
        } \
    }
SCATTER(float, f32, float, f32)
SCATTER(float, f32, f16, f16)
SCATTER(float, f32, bf16, bf16)
SCATTER(f16, f16, f16, f16)
SCATTER(bf16, bf16, bf16, bf16)
