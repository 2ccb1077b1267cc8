// Tensor cores and asynchronous copies for operands of 16 bits: thin names for PTX instructions, and where fragments lie in a warp.
#pragma once
#include "common.cuh"

// d += a * b: a 16x16, b 16x8, d 16x8. Lane l holds of d: rows l / 4 and l / 4 + 8, columns l % 4 * 2 and the next.
template <typename T> __device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
template <> __device__ __forceinline__ void mma<bf16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <> __device__ __forceinline__ void mma<f16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

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

__device__ __forceinline__ unsigned shared_address(const void* p) { return (unsigned) __cvta_generic_to_shared(p); }

// Four 8x8 matrices; lanes 8i .. 8i + 7 give the rows' addresses of matrix i, 16 bytes aligned.
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(unsigned (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

// 16 bytes (4 bytes) to shared memory, zeros unless `valid`; they are there after commit_copies and wait_copies.
__device__ __forceinline__ void copy16(void* to, const void* from, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
__device__ __forceinline__ void copy4(void* to, const void* from, bool valid) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" :: "r"(shared_address(to)), "l"(from), "r"(valid ? 4 : 0) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// All but the last N groups have landed.
template <int N> __device__ __forceinline__ void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }

// A matrix in shared memory whose rows of WIDTH elements are 16 bytes apart from the next, so that eight rows lie in different banks.
template <typename T, int WIDTH> struct Tile {
    static const int STRIDE = WIDTH + 8;
    T* at;

    // 16 rows x 16 of k: an operand a.
    __device__ __forceinline__ void left(unsigned (&a)[4], int row, int k) const {
        int lane = threadIdx.x & 31;
        load_matrices(a, at + (row + lane % 16) * STRIDE + k + lane / 16 * 8);
    }
    // Operands b of two neighbouring products, each b[n][k] = tile[n][k]: (r[0], r[1]) for columns n .. n + 7, (r[2], r[3]) for the next 8.
    __device__ __forceinline__ void right(unsigned (&b)[4], int n, int k) const {
        int lane = threadIdx.x & 31;
        load_matrices(b, at + (n + lane / 16 * 8 + lane % 8) * STRIDE + k + lane / 8 % 2 * 8);
    }
    // The same with b[n][k] = tile[k][n].
    __device__ __forceinline__ void right_transposed(unsigned (&b)[4], int k, int n) const {
        int lane = threadIdx.x & 31;
        load_matrices_transposed(b, at + (k + lane % 16) * STRIDE + n + lane / 16 * 8);
    }
};
