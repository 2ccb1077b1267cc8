// Convolution on tensor cores in bf16; see tensor_convolution.cuh.
// Seven of the smallest blocks fit a multiprocessor's registers, and nothing is spilled.
#define BOUNDS(T) T::THREADS, T::BN == 32 ? 7 : 0
#include "tensor_convolution.cuh"
ENTRIES(bf16)
