// Convolution on tensor cores in tf32; see tensor_convolution.cuh.
// Its fragments take more registers than two large blocks leave each other.
#define BOUNDS(T) T::THREADS, 1
#include "tensor_convolution.cuh"
ENTRIES(tf32)
