// Many tensors in one launch: a table on the device says where each lies, and every block takes chunks of all their elements.
#pragma once
#include "common.cuh"

#define CHUNK 2048
#define MAX_TENSORS 4

// One row of the table: tensors of n elements each that are walked together.
//
// first: how many chunks the rows above have.
struct Span {
    i64 first, n;
    float* at[MAX_TENSORS];
};

// The row that a chunk belongs to: the last one that starts at or before it.
__device__ __forceinline__ const Span* span_of(const Span* table, int rows, i64 chunk) {
    int low = 0;
    int high = rows - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (table[middle].first <= chunk) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return table + low;
}

// Visits the elements of a chunk, neighbouring threads neighbouring elements.
#define EACH_OF_CHUNK(i, span, chunk) \
    for (i64 i = ((chunk) - (span)->first) * CHUNK + threadIdx.x, i##_end = min((span)->n, i - threadIdx.x + CHUNK); i < i##_end; i += blockDim.x)
