// Compute capability 9.0: thin names for PTX instructions of bulk copies, mbarriers and products of warpgroups. Facts: NVIDIA's PTX ISA, 9.7.9, 9.7.13 and 9.7.15.
#pragma once
#include "common.cuh"

// What cuTensorMapEncodeTiled writes; a kernel takes it as a __grid_constant__.
struct alignas(64) TensorMap { u8 bytes[128]; };

// A wait's nanoseconds, and how many waits there are before a program that is wrong ends: 16 seconds.
#define WAIT_NANOSECONDS 1000000
#define WAITS 16384

__device__ __forceinline__ void init_barrier(unsigned barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// Makes barriers that this thread initialised known to bulk copies.
__device__ __forceinline__ void publish_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

__device__ __forceinline__ void arrive(unsigned barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory"); }

// Arrives, and makes the phase wait for bytes of bulk copies as well.
__device__ __forceinline__ void arrive_and_expect(unsigned barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

// Waits until the phase of this parity is complete.
__device__ __forceinline__ void wait(unsigned barrier, unsigned parity) {
#pragma unroll 1
    for (int i = 0; i < WAITS; i++) {
        unsigned done;
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2, %3; selp.u32 %0, 1, 0, p; }"
                     : "=r"(done) : "r"(barrier), "r"(parity), "r"(WAIT_NANOSECONDS) : "memory");
        if (done) {
            return;
        }
    }
    asm volatile("trap;");
}

// One lane of the warp, the same every time.
__device__ __forceinline__ bool elected() {
    unsigned one;
    asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p; }" : "=r"(one)::"memory");
    return one;
}

// Copies the box at (x, y, z) or (x, y, z, u) of a tensor to shared memory, its rows swizzled, zeros for what is outside of the tensor.
__device__ __forceinline__ void copy_box(unsigned to, const TensorMap& map, int x, int y, int z, unsigned barrier) {
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];"
                 ::"r"(to), "l"(&map), "r"(x), "r"(y), "r"(z), "r"(barrier) : "memory");
}
__device__ __forceinline__ void copy_box(unsigned to, const TensorMap& map, int x, int y, int z, int u, unsigned barrier) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], [%6];"
                 ::"r"(to), "l"(&map), "r"(x), "r"(y), "r"(z), "r"(u), "r"(barrier) : "memory");
}

template <int COUNT> __device__ __forceinline__ void fewer_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT)); }
template <int COUNT> __device__ __forceinline__ void more_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT)); }

// `threads` of the block wait for each other.
__device__ __forceinline__ void partial_barrier(int id, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }

__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// All but the last LEFT groups of products are complete.
template <int LEFT> __device__ __forceinline__ void wait_for_products() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory"); }

// Where a product finds an operand whose rows of 128 bytes are swizzled. `leading`: bytes from 64 of m or n to the next 64 where those run fastest.
__device__ __forceinline__ unsigned long long matrix_descriptor(unsigned address, int leading) {
    return (address & 0x3FFFF) >> 4 | (unsigned long long) (leading >> 4) << 16 | 1024ull >> 4 << 32 | 1ull << 62;
}

#define EIGHT(how, i) how(d[i]), how(d[i + 1]), how(d[i + 2]), how(d[i + 3]), how(d[i + 4]), how(d[i + 5]), how(d[i + 6]), how(d[i + 7])
#define ALL(how) EIGHT(how, 0), EIGHT(how, 8), EIGHT(how, 16), EIGHT(how, 24), EIGHT(how, 32), EIGHT(how, 40), EIGHT(how, 48), EIGHT(how, 56)
#define PUT(x) "=f"(x)
#define ADD(x) "+f"(x)
#define SUMS \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
    "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, " \
    "%43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

// d = a * b, or, ADDS, d += a * b: a 64x16, b 16x128. Lane l of warp w (of 4) holds in d[4j + 2h + e] row 16w + l / 4 + 8h, column 8j + l % 4 * 2 + e.
// A_K, B_K: whether k runs fastest.
#define WARPGROUP_PRODUCT(T, type) \
    template <bool ADDS, bool A_K, bool B_K> __device__ __forceinline__ void multiply(float (&d)[64], unsigned long long a, unsigned long long b, T) { \
        if constexpr (ADDS) { \
            asm volatile("{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type " " SUMS ", %64, %65, p, 1, 1, %66, %67; }" \
                         : ALL(ADD) : "l"(a), "l"(b), "n"(A_K ? 0 : 1), "n"(B_K ? 0 : 1) : "memory"); \
        } else { \
            asm volatile("{ .reg .pred p; setp.ne.b32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type " " SUMS ", %64, %65, p, 1, 1, %66, %67; }" \
                         : ALL(PUT) : "l"(a), "l"(b), "n"(A_K ? 0 : 1), "n"(B_K ? 0 : 1) : "memory"); \
        } \
    }
WARPGROUP_PRODUCT(bf16, "bf16")
WARPGROUP_PRODUCT(f16, "f16")
