// Compute capability 9.0: products of warpgroups whose left operand is in registers, and what such loops need beside warpgroup.cuh. Facts: NVIDIA's PTX ISA, 9.7.15.
#pragma once
#include "mma.cuh"
#include "warpgroup.cuh"

// One lane of the warp arrives, if WHEN; without a branch, behind which a compiler may leave lanes apart that products need together.
__device__ __forceinline__ void arrive_once(unsigned barrier, bool when) {
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; @p mbarrier.arrive.shared::cta.b64 _, [%0]; }" ::"r"(barrier), "r"((unsigned) (when && threadIdx.x % 32 == 0)) : "memory");
}

#define EIGHT_OF(how, d) how(d[0][0]), how(d[0][1]), how(d[0][2]), how(d[0][3]), how(d[1][0]), how(d[1][1]), how(d[1][2]), how(d[1][3])

// Keeps what follows a wait in the text, and reads these registers, behind it; and what precedes a fence, and writes them, before it.
template <int TILES> __device__ __forceinline__ void hold(float (&d)[TILES][4]) {
#pragma unroll
    for (int t = 0; t < TILES; t += 2) {
        asm volatile("" : EIGHT_OF(ADD, (d + t)) :: "memory");
    }
}
template <int TILES> __device__ __forceinline__ void hold(unsigned (&a)[TILES][4]) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        asm volatile("" : "+r"(a[t][0]), "+r"(a[t][1]), "+r"(a[t][2]), "+r"(a[t][3]) :: "memory");
    }
}

// d = a * b, or, ADDS, d += a * b: a 64x16 and b 16x64 in shared memory, k running fastest in both. d as below.
#define SHARED_PRODUCT(T, type, adds, ADDS, how) \
    template <> __device__ __forceinline__ void multiply_shared<T, ADDS>(float (&d)[8][4], unsigned long long a, unsigned long long b) { \
        asm volatile("{ .reg .pred p; setp.ne.b32 p, " adds ", 0; wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type " {" SUMS_32 "}, %32, %33, p, 1, 1, 0, 0; }" \
                     : EIGHT_OF(how, d), EIGHT_OF(how, (d + 2)), EIGHT_OF(how, (d + 4)), EIGHT_OF(how, (d + 6)) : "l"(a), "l"(b) : "memory"); \
    }
template <typename T, bool ADDS> __device__ __forceinline__ void multiply_shared(float (&d)[8][4], unsigned long long a, unsigned long long b);

// d += a * b: a 64x16, b 16 x 8 TILES whose columns run fastest in shared memory. Of a, lane l of warp w holds in a[i] row 16w + l / 4 + i % 2 * 8, columns
// i / 2 * 8 + l % 4 * 2 and the next; of d, in d[t][2h + e], row 16w + l / 4 + 8h, column 8t + l % 4 * 2 + e.
template <typename T, int TILES> __device__ __forceinline__ void multiply(float (&d)[TILES][4], const unsigned (&a)[4], unsigned long long b);

#define SUMS_24 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23"
#define SUMS_32 SUMS_24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define SUMS_40 SUMS_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define SUMS_80 SUMS_40 ", %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, " \
    "%60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define TILES_6 EIGHT_OF(ADD, d), EIGHT_OF(ADD, (d + 2)), EIGHT_OF(ADD, (d + 4))
#define TILES_8 TILES_6, EIGHT_OF(ADD, (d + 6))
#define TILES_10 TILES_8, EIGHT_OF(ADD, (d + 8))
#define TILES_20 TILES_10, EIGHT_OF(ADD, (d + 10)), EIGHT_OF(ADD, (d + 12)), EIGHT_OF(ADD, (d + 14)), EIGHT_OF(ADD, (d + 16)), EIGHT_OF(ADD, (d + 18))
#define REGISTER_PRODUCT(T, type, TILES, n, sums, left, right) \
    template <> __device__ __forceinline__ void multiply<T, TILES>(float (&d)[TILES][4], const unsigned (&a)[4], unsigned long long b) { \
        asm volatile("{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n" n "k16.f32." type "." type " {" sums "}, {" left "}, " right ", p, 1, 1, 1; }" \
                     : TILES_##TILES : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b) : "memory"); \
    }
#define REGISTER_PRODUCTS(T, type) \
    REGISTER_PRODUCT(T, type, 6, "48", SUMS_24, "%24, %25, %26, %27", "%28") \
    REGISTER_PRODUCT(T, type, 8, "64", SUMS_32, "%32, %33, %34, %35", "%36") \
    REGISTER_PRODUCT(T, type, 10, "80", SUMS_40, "%40, %41, %42, %43", "%44") \
    REGISTER_PRODUCT(T, type, 20, "160", SUMS_80, "%80, %81, %82, %83", "%84")
SHARED_PRODUCT(bf16, "bf16", "0", false, PUT)
SHARED_PRODUCT(bf16, "bf16", "1", true, ADD)
SHARED_PRODUCT(f16, "f16", "0", false, PUT)
SHARED_PRODUCT(f16, "f16", "1", true, ADD)
REGISTER_PRODUCTS(bf16, "bf16")
REGISTER_PRODUCTS(f16, "f16")
