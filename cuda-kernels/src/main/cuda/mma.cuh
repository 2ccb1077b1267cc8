// Tensor cores and asynchronous copies: thin names for PTX instructions, and where fragments lie in a warp.
#pragma once
#include "common.cuh"

typedef float tf32;

// d += a * b: a 16 x k, b k x 8, d 16x8; k is 16, of tf32 8. Lane l holds of d: rows l / 4 and l / 4 + 8, columns l % 4 * 2 and the next.
template <typename T> __device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
#define MMA(T, name) \
    template <> __device__ __forceinline__ void mma<T>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) { \
        asm("mma.sync.aligned." name ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1)); \
    }
MMA(bf16, "m16n8k16.row.col.f32.bf16.bf16")
MMA(f16, "m16n8k16.row.col.f32.f16.f16")
MMA(tf32, "m16n8k8.row.col.f32.tf32.tf32")

// Two floats rounded to 16 bits, the first in the low half.
template <typename T> __device__ __forceinline__ unsigned packed(float low, float high);
template <> __device__ __forceinline__ unsigned packed<bf16>(float low, float high) {
    unsigned r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
template <> __device__ __forceinline__ unsigned packed<f16>(float low, float high) {
    unsigned r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}

__device__ __forceinline__ int lane() { return threadIdx.x & 31; }

__device__ __forceinline__ unsigned shared_address(const void* p) { return (unsigned) __cvta_generic_to_shared(p); }

// Four 8x8 matrices of 16 bits; lanes 8i .. 8i + 7 give the rows' addresses of matrix i in shared memory, 16 bytes aligned.
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], unsigned row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(unsigned (&r)[4], unsigned row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}

// 16 bytes (4 bytes) of shared memory: the first `bytes` from global memory, zeros for the rest. They are there after commit_copies and wait_copies.
__device__ __forceinline__ void copy16(void* to, const void* from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(__cvta_generic_to_global(from)), "r"(bytes) : "memory");
}
__device__ __forceinline__ void copy4(void* to, const void* from, int bytes) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" :: "r"(shared_address(to)), "l"(__cvta_generic_to_global(from)), "r"(bytes) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// All but the last N groups have landed.
template <int N> __device__ __forceinline__ void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }
