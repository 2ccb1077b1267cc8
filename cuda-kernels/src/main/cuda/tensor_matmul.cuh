// Entries of a batched matrix product on tensor cores, one for each tile and layout: kk, kn, mn, mk name the index that runs
// fastest in the left and the right operand.
#pragma once
#include "tensor_product.cuh"

#define ENTRY(name, T, A_K, B_K, layout) \
    extern "C" __global__ void __launch_bounds__(BOUNDS(T)) matmul_##name##_##layout##_##T(Plain a, Plain b, Finish e, Extent x) { \
        i64 z = blockIdx.z / x.splits; \
        a.data.at += z * a.batch; \
        b.data.at += z * b.batch; \
        product<true, name, T, A_K, B_K>(a, b, e, x); \
    }
#define LAYOUTS(name, T) ENTRY(name, T, true, true, kk) ENTRY(name, T, true, false, kn) ENTRY(name, T, false, false, mn)
#define ENTRIES(name) LAYOUTS(name, Tile128x128) LAYOUTS(name, Tile128x64) LAYOUTS(name, Tile64x64) LAYOUTS(name, Tile64x32) ENTRY(name, Tile64x64, false, true, mk)
