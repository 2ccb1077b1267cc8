// Normal values from uniform ones, as torch's generator on the CPU makes them with AVX2: Box and Muller on blocks of 16.
//
//   r = sqrt(-2 ln(1 - u[j])), theta = 2 pi u[j + 8]:  y[j] = r cos(theta), y[j + 8] = r sin(theta), j = 0..7
//
// uniforms [rows, blocks * 16], y [rows, n]: n / 16 whole blocks, and where 16 does not divide n one more, which overwrites the last 16 places.
// Grid: any number of blocks of 256 threads, a thread for each pair. No shared memory. Logarithm, sine and cosine are those of Cephes (logf,
// sinf, cosf), float32, each operation rounded as written: the bits of core's BoxMuller.
#include "common.cuh"

#define BLOCK 16
#define HALF 8

// ln(x) for normal x in (0, 1]
__device__ __forceinline__ float cephes_log(float x) {
    int bits = __float_as_int(x);
    float mantissa = __int_as_float((bits & 0x007fffff) | 0x3f000000);   // [1/2, 1)
    bool low = mantissa < 0.70710678f;
    float e = (float) ((int) ((unsigned) bits >> 23) - 126 - (low ? 1 : 0));
    float m = __fadd_rn(__fadd_rn(mantissa, -1), low ? mantissa : 0);
    float z = __fmul_rn(m, m);
    float y = 7.0376836292e-2f;
    y = fmaf(y, m, -1.1514610310e-1f);
    y = fmaf(y, m, 1.1676998740e-1f);
    y = fmaf(y, m, -1.2420140846e-1f);
    y = fmaf(y, m, 1.4249322787e-1f);
    y = fmaf(y, m, -1.6668057665e-1f);
    y = fmaf(y, m, 2.0000714765e-1f);
    y = fmaf(y, m, -2.4999993993e-1f);
    y = fmaf(y, m, 3.3333331174e-1f);
    y = fmaf(__fmul_rn(y, m), z, __fmul_rn(e, -2.12194440e-4f));
    y = fmaf(z, -0.5f, y);
    return fmaf(e, 0.693359375f, __fadd_rn(m, y));
}

// cos(x) and sin(x) for |x| <= pi / 4, z = x^2
__device__ __forceinline__ float cephes_cos(float z) {
    float y = 2.443315711809948e-5f;
    y = fmaf(y, z, -1.388731625493765e-3f);
    y = fmaf(y, z, 4.166664568298827e-2f);
    y = fmaf(__fmul_rn(y, z), z, __fmul_rn(z, -0.5f));
    return __fadd_rn(y, 1);
}

__device__ __forceinline__ float cephes_sin(float x, float z) {
    float y = -1.9515295891e-4f;
    y = fmaf(y, z, 8.3321608736e-3f);
    y = fmaf(y, z, -1.6666654611e-1f);
    return fmaf(__fmul_rn(y, z), x, x);
}

__device__ __forceinline__ float flip(float x, int sign) { return __int_as_float(__float_as_int(x) ^ sign); }

extern "C" __global__ void box_muller_f32(const float* uniforms, float* y, i64 pairs, i64 blocks, i64 n) {
    EACH(i, pairs) {
        i64 block = i / HALF % blocks;
        const float* u = uniforms + i / HALF * BLOCK + i % HALF;
        float radius = __fsqrt_rn(__fmul_rn(-2, cephes_log(__fadd_rn(1, -u[0]))));
        float theta = __fmul_rn(6.2831855f, u[HALF]);

        // theta - octant * pi / 4 in three parts, octant even, so that |x| <= pi / 4
        int octant = ((int) __fmul_rn(theta, 1.2732395f) + 1) & ~1;
        float x = fmaf((float) octant, -0.78515625f, theta);
        x = fmaf((float) octant, -2.4187564849853515625e-4f, x);
        x = fmaf((float) octant, -3.77489497744594108e-8f, x);
        float z = __fmul_rn(x, x);
        float cosine = cephes_cos(z);
        float sine = cephes_sin(x, z);
        bool swapped = octant & 2;
        float first = __fmul_rn(radius, flip(swapped ? sine : cosine, (~(octant - 2) & 4) << 29));
        float second = __fmul_rn(radius, flip(swapped ? cosine : sine, (octant & 4) << 29));

        bool tail = n % BLOCK != 0 && block == blocks - 1;
        i64 whole = n % BLOCK != 0 ? n - BLOCK : n;   // places that the last block does not overwrite
        i64 at = tail ? n - BLOCK + i % HALF : block * BLOCK + i % HALF;
        float* row = y + i / HALF / blocks * n;
        if (tail || at < whole) {
            row[at] = first;
        }
        if (tail || at + HALF < whole) {
            row[at + HALF] = second;
        }
    }
}
