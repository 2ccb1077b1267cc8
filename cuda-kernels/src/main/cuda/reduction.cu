// Sums over any axes, their adjoint, and the global norm. Names end in the types of x and y.
//
//   sum_to:       y[o] = scale * sum over r of x[kept(o) + reduced(r)]
//   broadcast_to: y[i] = scale * x[index(i)]
//   square_sum:   partial[b] (+)= sum of x^2 over block b's chunks of many tensors (spans.cuh);  norm: y = sqrt(sum of partial)
//
// Grids: sum_to_rows one block of 256 threads per element of y; sum_to_columns blocks of 32 x 8 threads for 32 elements of y that lie side by
// side; broadcast_to any number of blocks of 256 threads; square_sum 256 blocks of 256 threads, norm one block. Sums accumulate in float64, in an order that
// depends on shapes only. Shared memory: 256 bytes, columns 2 KiB.
#include "spans.cuh"

#define MAX_RANK 6
#define COLUMNS 32
#define ROWS 8

struct Walk {
    i64 rank;
    i64 sizes[MAX_RANK];
    i64 strides[MAX_RANK];
};

__device__ __forceinline__ i64 offset(const Walk& w, i64 index) {
    i64 at = 0;
#pragma unroll
    for (int d = MAX_RANK - 1; d >= 0; d--) {
        if (d < w.rank) {
            at += index % w.sizes[d] * w.strides[d];
            index /= w.sizes[d];
        }
    }
    return at;
}

// An element in the type that sums start from, and a sum in the type of results.
template <typename T> __device__ __forceinline__ double to_double(T x) { return to_float(x); }
template <> __device__ __forceinline__ double to_double<double>(double x) { return x; }
template <typename T> __device__ __forceinline__ T from_double(double x) { return from_float<T>((float) x); }
template <> __device__ __forceinline__ double from_double<double>(double x) { return x; }

template <typename T, typename Y> __device__ __forceinline__ void sum_to_rows(const T* x, Y* y, double scale, i64 count, const Walk& kept, const Walk& reduced) {
    __shared__ double scratch[32];
    const T* from = x + offset(kept, blockIdx.x);
    double sum = 0;
#pragma unroll 1
    for (i64 i = threadIdx.x; i < count; i += blockDim.x) {
        sum += to_double(from[offset(reduced, i)]);
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) {
        y[blockIdx.x] = from_double<Y>(scale * sum);
    }
}

template <typename T, typename Y> __device__ __forceinline__ void sum_to_columns(const T* x, Y* y, double scale, i64 results, i64 count, const Walk& kept, const Walk& reduced) {
    __shared__ double scratch[ROWS][COLUMNS];
    i64 o = blockIdx.x * (i64) COLUMNS + threadIdx.x;
    double sum = 0;
    if (o < results) {
        const T* from = x + offset(kept, o);
    #pragma unroll 1
    for (i64 i = threadIdx.y; i < count; i += ROWS) {
            sum += to_double(from[offset(reduced, i)]);
        }
    }
    scratch[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && o < results) {
        for (int r = 1; r < ROWS; r++) {
            sum += scratch[r][threadIdx.x];
        }
        y[o] = from_double<Y>(scale * sum);
    }
}

template <typename T> __device__ __forceinline__ T scaled(double scale, T x) { return from_float<T>((float) scale * to_float(x)); }
template <> __device__ __forceinline__ double scaled<double>(double scale, double x) { return scale * x; }

template <typename T> __device__ __forceinline__ void broadcast_to(const T* x, T* y, double scale, i64 n, const Walk& from) {
    EACH(i, n) { y[i] = scaled(scale, x[offset(from, i)]); }
}

#define SUMS(T, Y, suffix) \
    extern "C" __global__ void sum_to_rows_##suffix(const T* x, Y* y, double scale, i64 count, Walk kept, Walk reduced) { \
        sum_to_rows(x, y, scale, count, kept, reduced); \
    } \
    extern "C" __global__ void sum_to_columns_##suffix(const T* x, Y* y, double scale, i64 results, i64 count, Walk kept, Walk reduced) { \
        sum_to_columns(x, y, scale, results, count, kept, reduced); \
    }
SUMS(float, float, f32_f32)
SUMS(double, double, f64_f64)
SUMS(f16, f16, f16_f16)
SUMS(f16, float, f16_f32)
SUMS(bf16, bf16, bf16_bf16)
SUMS(bf16, float, bf16_f32)

#define BROADCAST(T, suffix) \
    extern "C" __global__ void broadcast_to_##suffix(const T* x, T* y, double scale, i64 n, Walk from) { \
        broadcast_to(x, y, scale, n, from); \
    }
BROADCAST(float, f32)
BROADCAST(double, f64)
BROADCAST(f16, f16)
BROADCAST(bf16, bf16)

// Rows of the table: x. Block b sums chunks b, b + grid, ...; `first`: overwrites what earlier launches left.
extern "C" __global__ void square_sum_f32(const Span* table, int rows, i64 chunks, double* partial, int first) {
    __shared__ double scratch[32];
    double sum = 0;
    for (i64 chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
        const Span* s = span_of(table, rows, chunk);
        const float* x = s->at[0];
        EACH_OF_CHUNK(i, s, chunk) { sum += (double) x[i] * x[i]; }
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = first ? sum : partial[blockIdx.x] + sum;
    }
}

extern "C" __global__ void norm_f32(const double* partial, int count, float* y) {
    __shared__ double scratch[32];
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        sum += partial[i];
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) {
        y[0] = (float) sqrt(sum);
    }
}
