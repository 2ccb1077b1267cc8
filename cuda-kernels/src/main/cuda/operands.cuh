// Operands of matrix products as memory holds them, whatever product reads them: with `line` and `run`, each says where element i of a line lies.
#pragma once
#include "common.cuh"

// Where an operand lies, and as what: 0 float32, 1 f16, 2 bf16. `fast`: chunks are whole, aligned and of the type that is computed in.
struct Data {
    const char* at;
    i64 type;
    i64 fast;
};

__device__ __forceinline__ float load(const Data& d, i64 i) {
    return d.type == 0 ? reinterpret_cast<const float*>(d.at)[i] : d.type == 1 ? to_float(reinterpret_cast<const f16*>(d.at)[i])
                                                                               : to_float(reinterpret_cast<const bf16*>(d.at)[i]);
}

// A matrix in memory, `lines` of `length` elements. What an operand is read through has a Line, all that depends on the line alone, and gives for
// element i of it where it lies and how many follow it there.
struct Plain {
    Data data;
    i64 stride;
    i64 batch;
    i64 lines;
    i64 length;
    // Of a gated product: half of the lines, which come in turns of 8 with those of the other half; otherwise 0.
    i64 half;

    struct Line {
        i64 at;
        bool inside;
    };
    __device__ __forceinline__ Line line(int j) const {
        if (half == 0) {
            return {j * stride, j < lines};
        }
        int column = j / 16 * 8 + j % 8;
        return {(j & 8 ? half + column : column) * stride, column < half};
    }
    __device__ __forceinline__ int run(const Line& l, int i, i64& at) const {
        at = l.at + i;
        return l.inside ? (int) length - i : 0;
    }
};
